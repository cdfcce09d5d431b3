// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes with threads on the same things at once: names, limits, mappings,
 * roots, seals, the queue of those who wait, objects with owners, and descriptors
 * that are closed under their users. stress.c has what races for objects alone.
 *
 * Each race is a row of a table: a few roles that run over and over in either
 * process, each in a thread of its own. A role knows what may come of a call, and
 * anything else is a failure; what must hold of all together is looked at when
 * they have ended. SHMZONE_SECONDS is the time of all races together (14). The
 * kernel that looks for data races is where this belongs most.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "races.h"

#define PROCESSES	2
#define ROLES_MAX	5

struct shared *shared;

/* Remember what went wrong first, and stop all. */
void wrong(const char *what, int ret)
{
	note_wrong(&shared->wrong, what, ret);
}

/* Whether a result is one of those allowed, of which 0 ends the list. */
void expect(const char *what, int ret, const int *allowed)
{
	if (ret >= 0)
		return;
	for (; *allowed; allowed++)
		if (ret == -*allowed)
			return;
	wrong(what, ret);
}

struct race {
	const char *name;
	void (*roles[ROLES_MAX])(__u64 *random);
	__u64 bytes, limit;
	__u32 kind;
	void (*begin)(void);
	void (*end)(void);
};

static const struct race races[] = {
	{ "names", { create_or_open, create_for_good, open_by_name, unlink_name,
		     list_and_permit }, MIB, 0, 0, NULL, forget_name },
	{ "limits", { alloc_and_free, alloc_and_free, change_limit, ask_figures, check },
	  ZONE_BYTES, 0, 0, NULL, all_is_free },
	{ "mappings of a strict zone", { map_touch_and_unmap, write_to_a_span,
					 fork_with_a_mapping, alloc_and_free },
	  ZONE_BYTES, 0, SHMZONE_CREATE_STRICT, NULL, all_is_free },
	{ "mappings of a committed zone", { map_touch_and_unmap, alloc_and_free,
					    fork_with_a_mapping, check },
	  ZONE_BYTES, 0, SHMZONE_CREATE_COMMITTED, NULL, all_is_free },
	{ "roots", { swap_root, swap_root, set_and_remove_roots, list_roots },
	  MIB, 0, 0, begin_roots, swaps_add_up },
	{ "seals", { try_what_seals_forbid, try_what_seals_forbid, seal_after_a_while },
	  MIB, 0, 0, NULL, NULL },
	{ "waiting", { wait_for_memory, wait_for_memory, give_up_waiting,
		       poll_for_memory, waiter_is_killed },
	  ZONE_BYTES, MIB, 0, NULL, somebody_waited },
	{ "objects with owners", { offer_one, give_one, take_any, use_a_cache, client_ends },
	  ZONE_BYTES, 0, SHMZONE_CREATE_OWNED, begin_owners, nothing_is_left },
	{ "objects that are checked", { offer_one, give_one, take_any, use_a_cache,
					client_ends },
	  ZONE_BYTES, 0, SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED, begin_owners,
	  nothing_is_left },
	{ "descriptors", { replace_descriptor, use_descriptor, use_descriptor },
	  MIB, 0, 0, NULL, NULL },
};

struct actor {
	void (*role)(__u64 *random);
	__u64 random;
};

static void *act(void *arg)
{
	struct actor *actor = arg;

	while (!__atomic_load_n(&shared->over, __ATOMIC_RELAXED)) {
		actor->role(&actor->random);
		__atomic_add_fetch(&shared->rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int act_in_threads(void *arg)
{
	const struct race *race = arg;
	struct actor actors[ROLES_MAX];
	pthread_t threads[ROLES_MAX];
	int i, n;

	be_a_client();
	for (n = 0; n < ROLES_MAX && race->roles[n]; n++) {
		actors[n].role = race->roles[n];
		actors[n].random = getpid() * 1000003ULL + n;
		if (pthread_create(&threads[n], NULL, act, &actors[n]))
			return 1;
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* For that long; seals last for ever, so there a zone is raced for shortly. */
static bool run_race(const struct race *race, double duration)
{
	pid_t children[PROCESSES];
	double end = now() + duration;
	bool well = true;
	int i;

	shared->over = false;
	shared->sealed = 0;
	shared->swaps = 0;
	shared->waits = 0;
	shared->zone = _try_create_kind(shared->control, race->kind, race->bytes, race->limit);
	if (shared->zone < 0)
		return false;
	if (race->begin)
		race->begin();
	for (i = 0; i < PROCESSES; i++)
		children[i] = start_child(act_in_threads, (void *)race);
	while (now() < end && !shared->wrong.is)
		usleep(10000);
	__atomic_store_n(&shared->over, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < PROCESSES; i++)
		well = end_child(children[i]) == 0 && well;
	if (race->end)
		race->end();
	if (!zone_consistent(shared->zone))
		wrong("the allocator contradicts itself", 0);
	close(shared->zone);
	if (shared->wrong.is)
		ksft_print_msg("%s\n", shared->wrong.what);
	return well && !shared->wrong.is;
}

static void test_race(const struct race *race, double duration, __u64 zones)
{
	double start = now(), once = race->end ? duration : duration / 8;
	bool well = true;

	shared->wrong.is = false;
	shared->rounds = 0;
	do {
		well = run_race(race, once);
	} while (well && now() - start < duration);
	well = zones_become(shared->control, zones) && well;
	ksft_test_result(well, "races: %s\n", race->name);
	ksft_print_msg("%lu rounds\n", shared->rounds);
}

/*
 * How many accesses KCSAN watched until now, or -1 without it. The numbers stand
 * behind names, a line each.
 */
static long watched(void)
{
	FILE *file = fopen("/sys/kernel/debug/kcsan", "r");
	char line[128];
	long n = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "setup_watchpoints: %ld", &n);
	if (file)
		fclose(file);
	return n;
}

static void test_kcsan(long before)
{
	long n = watched() - before;

	ksft_test_result(n > 0, "races: KCSAN watches\n");
	ksft_print_msg("%ld accesses watched\n", n);
}

int main(void)
{
	double duration = seconds_of("SHMZONE_SECONDS", 14);
	struct shmzone_info info;
	long before = watched();
	size_t i;

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(races) + (before >= 0));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	snprintf(shared->name, sizeof(shared->name), "races-%d", getpid());
	shared->control = _try_control();
	if (_try_info(shared->control, &info))
		ksft_exit_fail_msg("no /dev/shmzone\n");
	for (i = 0; i < ARRAY_SIZE(races); i++)
		test_race(&races[i], duration / ARRAY_SIZE(races), info.out_zones);
	if (before >= 0)
		test_kcsan(before);
	ksft_finished();
}
