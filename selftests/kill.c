// SPDX-License-Identifier: GPL-2.0
/*
 * Processes killed at any moment, mostly in the middle of a call, while others work
 * on in the same zone: many kills, and what each has cost to the object.
 *
 * A victim is two threads that do little but call: batches, with and without caches,
 * mapping these anew, waiting, roots, other zones. Each writes down what it has once
 * it is told, and strikes out what it frees before it does. After each kill four
 * clients, who are never killed and watch over every byte of theirs, come to rest.
 * Then all that is live is in their hands, in their caches, or in the victim's
 * record, from which it is freed. What is left over was lost by this kill: it is no
 * more than the batch that either thread had in flight, and nothing in owned zones,
 * where the record need not be looked at. There objects go from hand to hand all the
 * while, and are found with one owner, with nobody, or are gone with the victim.
 *
 * SHMZONE_KILLS is how many there are in each kind of zone; otherwise it is as many
 * as there is time for. SHMZONE_SEED is the seed.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "kill.h"

#define SECONDS		5
#define SECONDS_MAX	15
#define KILLS_MIN	20
#define CALLS_ENOUGH	2000	/* for a chance of all that may happen */
#define CHECK_EVERY	50

static bool all_rest(struct shared *shared)
{
	unsigned int i, rest = shared->rest + 1;
	double end = now() + 100;

	__atomic_store_n(&shared->rest, rest, __ATOMIC_RELEASE);
	for (i = 0; i < CLIENTS; i++) {
		while (__atomic_load_n(&shared->resting[i], __ATOMIC_ACQUIRE) != rest) {
			if (now() > end) {
				note_wrong(&shared->wrong, "a client hangs", i);
				return false;
			}
			usleep(100);
		}
	}
	return true;
}

static void go_on(struct shared *shared)
{
	__atomic_add_fetch(&shared->rest, 1, __ATOMIC_RELEASE);
}

bool is_owned(const struct shared *shared)
{
	return shared->kind & SHMZONE_CREATE_OWNED;
}

/* What the victim's threads say they have; and whether they were in a call. */
static unsigned int free_recorded(struct shared *shared, unsigned long *calls)
{
	unsigned int t, i, inside = 0;

	for (t = 0; t < THREADS; t++) {
		struct thread *thread = &shared->threads[t];

		for (i = 0; i < RECORD; i++)
			if (thread->record[i] && !is_owned(shared) &&
			    _try_free_at(shared->zone, thread->record[i]) != 1)
				note_wrong(&shared->wrong, "what a victim had is gone", i);
		inside += thread->inside;
		*calls += thread->calls;
		memset(thread, 0, sizeof(*thread));
	}
	return inside;
}

/* What it has given to nobody is all that can be left of it. */
static void free_nobodys(struct shared *shared)
{
	struct shmzone_query found;
	unsigned int i;

	for (i = 0; i < CLIENTS; i++) {
		__u64 offset = shared->hands[i].nobodys;

		shared->hands[i].nobodys = 0;
		if (!offset || _try_query(shared->zone, offset, &found) || found.out_owner)
			continue;
		if (_try_free_at(shared->zone, offset) != 1)
			note_wrong(&shared->wrong, "what is nobody's cannot be freed", offset);
	}
}

struct tally {
	unsigned long kills, inside, calls, lost;
	unsigned long taken, given;	/* by clients from victims, and to them */
};

/* Idle stock may be taken back at any moment, and be counted before and after. */
static bool get_figures(int zone, struct shmzone_stat *stat)
{
	struct shmzone_stat before;
	int i;

	for (i = 0; i < 100; i++) {
		if (_try_stat(zone, &before) || _try_stat(zone, stat))
			break;
		if (before.out_live_objects == stat->out_live_objects &&
		    before.out_cached_objects == stat->out_cached_objects)
			return true;
	}
	return false;
}

static void count(struct shared *shared, struct tally *tally)
{
	struct shmzone_stat stat;
	__u64 held = 0, lost;
	int i;

	if (!all_rest(shared))
		return;
	if (is_owned(shared))
		free_nobodys(shared);
	if (!get_figures(shared->zone, &stat))
		return note_wrong(&shared->wrong, "there are no figures", 0);
	for (i = 0; i < CLIENTS; i++)
		held += shared->held[i];
	lost = stat.out_live_objects - stat.out_cached_objects - held - tally->lost;
	if (lost > (is_owned(shared) ? 0 : THREADS * BATCH))
		note_wrong(&shared->wrong, "more was lost than was in flight", lost);
	tally->lost += lost;
	if (stat.out_bad_not_live + stat.out_bad_interior + stat.out_bad_outside +
	    stat.out_bad_misaligned + stat.out_bad_bytes + stat.out_bad_bins)
		note_wrong(&shared->wrong, "something was freed that was not there", 0);
	if (tally->kills % CHECK_EVERY == 0 && !zone_consistent(shared->zone))
		note_wrong(&shared->wrong, "the allocator contradicts itself", tally->kills);
	go_on(shared);
}

static void kill_one(struct shared *shared, __u64 *random, struct tally *tally)
{
	pid_t pid = fork();
	int i, status;

	if (!pid)
		_exit(victim(shared, next_random(random)));
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		note_wrong(&shared->wrong, "a victim has ended by itself", status);
	for (i = 0; i < 2; i++) {
		if (_try_sync(shared->zone, shared->ids[i], 60000000000ULL))
			note_wrong(&shared->wrong, "a victim does not go", i);
		shared->ids[i] = 0;
	}
	tally->inside += free_recorded(shared, &tally->calls) > 0;
	tally->kills++;
	count(shared, tally);
}

FIXTURE(kill) {
	struct shared *shared;
	__u64 zones;
};

FIXTURE_VARIANT(kill) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(kill, plain) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(kill, strict) {
	.kind = SHMZONE_CREATE_STRICT,
};

FIXTURE_VARIANT_ADD(kill, committed) {
	.kind = SHMZONE_CREATE_COMMITTED,
};

FIXTURE_VARIANT_ADD(kill, owned) {
	.kind = SHMZONE_CREATE_OWNED,
};

FIXTURE_VARIANT_ADD(kill, checked) {
	.kind = SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
};

FIXTURE_SETUP(kill)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct shmzone_info args;

	ASSERT_NE(MAP_FAILED, shared);
	self->shared = shared;
	shared->control = control_fd();
	shared->kind = variant->kind;
	info(shared->control, &args);
	self->zones = args.out_zones;
	shared->zone = create_kind(shared->control, variant->kind, ZONE_BYTES, 0);
	shared->data = map_data_ok(shared->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
}

FIXTURE_TEARDOWN(kill)
{
	munmap(self->shared->data, ZONE_BYTES);
	close(self->shared->zone);
	EXPECT_TRUE(zones_become(self->shared->control, self->zones));
	close(self->shared->control);
}

/* Slow machines need longer until one is killed in a call. */
static bool goes_on(double start, const struct tally *tally)
{
	return now() < start + (tally->kills >= KILLS_MIN ? SECONDS : SECONDS_MAX);
}

TEST_F_TIMEOUT(kill, in_the_midst, 7200)
{
	unsigned long kills = number_of("SHMZONE_KILLS", 0), operations = 0;
	__u64 random = number_of("SHMZONE_SEED", 1);
	struct shared *shared = self->shared;
	double start = now();
	struct tally tally = { 0 };
	pid_t clients[CLIENTS];
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < CLIENTS; i++) {
		clients[i] = fork();
		if (!clients[i])
			_exit(client(shared, i));
	}
	while (!shared->wrong.is && (kills ? tally.kills < kills : goes_on(start, &tally)))
		kill_one(shared, &random, &tally);
	shared->end = true;
	for (i = 0; i < CLIENTS; i++) {
		EXPECT_EQ(0, end_child(clients[i]));
		operations += shared->operations[i];
		tally.taken += shared->hands[i].taken;
		tally.given += shared->hands[i].lost;
	}
	TH_LOG("%lu kills, %lu in a call, after %lu calls: %lu objects lost; others: %lu calls",
	       tally.kills, tally.inside, tally.calls, tally.lost, operations);
	if (is_owned(shared))
		TH_LOG("%lu objects taken from victims, %lu by them", tally.taken, tally.given);
	if (shared->wrong.is)
		TH_LOG("wrong: %s", shared->wrong.what);
	ASSERT_FALSE(shared->wrong.is);
	ASSERT_LT(0, operations);
	/* Their caches are gone with them; what they held is live, but where it was theirs. */
	for (i = 0; i < CLIENTS; i++)
		ASSERT_EQ(0, _try_sync(shared->zone, shared->client_ids[i], 60000000000ULL));
	stat = stat_of(shared->zone);
	for (i = 0; i < CLIENTS && !is_owned(shared); i++)
		tally.lost += shared->held[i];
	ASSERT_EQ(tally.lost, stat.out_live_objects);
	ASSERT_TRUE(zone_consistent(shared->zone));
	ASSERT_LT(0, tally.inside);
	/* Of few calls, as on a slow machine, none may be one of these. */
	if (!is_owned(shared) || tally.calls >= CALLS_ENOUGH) {
		ASSERT_EQ(is_owned(shared), tally.taken > 0);
		ASSERT_EQ(is_owned(shared), tally.given > 0);
	}
}

TEST_HARNESS_MAIN
