// SPDX-License-Identifier: GPL-2.0
/*
 * Allocating and freeing by the library, killed at each instruction, or at some of
 * them if that would take too long: with what is in the cache, with calls for more
 * and for less, with none. After each kill the zone can be used at once, nothing
 * is left in the caches of the dead, and what is lost is what it had in flight; in
 * owned zones nothing is, nor is anything left.
 *
 * The program that is killed writes down what it has when it is told, and strikes
 * out what it frees before it does: so what is lost to all records is all that its
 * call had in its hands. What is in the record others can free.
 *
 * Where it uses what threads hand to each other, the same is done while another thread
 * of it uses that too, and forks: that one waits for nobody, wherever the first stops.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmzone.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"
#include "step.h"

/* For each sweep, unless SHMZONE_SWEEP_SECONDS says otherwise. */
#define SECONDS		1

#define KILLS_THAT_TELL	20

#define ZONE_BYTES	(256 * MIB)
#define FEW		4		/* one by one, from the cache */
#define MANY		20		/* by one call */
#define CHECKED		(SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED)
#define RECORD		MANY

struct scene {
	int zone;
	__u64 lost;
	const char *wrong;
	void (*prepare)(struct shmz *z, struct scene *scene);
	void (*run)(struct shmz *z, struct scene *scene);
	unsigned int in_flight;
	bool owned;
	/* Between this program and the other thread. */
	int socket[2];
	/* By the process that is killed. */
	__u64 client;
	unsigned int handed;
	uint64_t record[RECORD];
};

/* The records. */

static void write_down(struct shmz *z, struct scene *scene, unsigned int i, void *p)
{
	__atomic_store_n(&scene->record[i], shmz_offset(z, p), __ATOMIC_RELAXED);
}

static void *strike_out(struct shmz *z, struct scene *scene, unsigned int i)
{
	return shmz_pointer(z, __atomic_exchange_n(&scene->record[i], 0, __ATOMIC_RELAXED));
}

/* The scripts. */

static void alloc_one(struct shmz *z, struct scene *scene, unsigned int i, size_t bytes)
{
	write_down(z, scene, i, shmz_alloc(z, bytes));
}

static void free_one(struct shmz *z, struct scene *scene, unsigned int i)
{
	shmz_free(z, strike_out(z, scene, i));
}

/* A class in which there is one slot, and room for no more. */
static void warm_up(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 64);
	free_one(z, scene, 0);
}

static void hold_two(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 64);
	alloc_one(z, scene, 1, 64);
}

static void alloc_and_free(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 64);
	free_one(z, scene, 0);
}

static void ask_for_more(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 1000);
	alloc_one(z, scene, 1, 1000);
}

static void give_back(struct shmz *z, struct scene *scene)
{
	free_one(z, scene, 0);
	free_one(z, scene, 1);
}

static void use_a_group(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_alloc_group(z, 200, 3));
	free_one(z, scene, 0);
}

static void use_a_span(struct shmz *z, struct scene *scene)
{
	alloc_one(z, scene, 0, 100 * KIB);
	free_one(z, scene, 0);
}

static void of_known_size(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_zalloc(z, 56));
	shmz_free_sized(z, strike_out(z, scene, 0), 56);
}

static void aligned(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_aligned_alloc(z, 256, 300));
	free_one(z, scene, 0);
}

static void wait_for_one(struct shmz *z, struct scene *scene)
{
	write_down(z, scene, 0, shmz_alloc_wait(z, 500, 1000));
	free_one(z, scene, 0);
}

/*
 * A class of which a cache has room for four, so that what does not fit is soon handed
 * to other threads, of which there must be some.
 */
#define SCARCE		20000
#define SCARCE_ROOM	4
#define KEPT		8

static void hand_some(struct shmz *z, struct scene *scene)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };
	unsigned int i, round;

	for (round = 0; round < 2; round++) {
		for (i = round ? KEPT : 0; i < RECORD; i++)
			alloc_one(z, scene, i, SCARCE);
		while (i-- > KEPT)
			free_one(z, scene, i);
	}
	/* More than its own cache has room for, and the 64 bytes of another thread. */
	if (!shmz_stat(z, &stat) && stat.out_cached_objects > SCARCE_ROOM + 1)
		scene->handed++;
}

/* It has a number for good. */
static void *vanishes(void *arg)
{
	shmz_free(arg, shmz_alloc(arg, 64));
	syscall(SYS_exit, 0);
	return NULL;
}

static void hand_to_nobody(struct shmz *z, struct scene *scene)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, vanishes, z) || pthread_join(thread, NULL))
		_exit(2);
	hand_some(z, scene);
}

/* Hands over, asks the kernel for room to hand over, and takes. */
static void through_depot(struct shmz *z, struct scene *scene)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		free_one(z, scene, i);
	for (i = KEPT; i < KEPT + 5; i++)
		alloc_one(z, scene, i, SCARCE);
}

/* Another thread. */

struct other {
	struct shmz *zone;
	int socket;
	pthread_barrier_t is_ready;
};

/* More than fit into a cache. */
static int use(struct shmz *z)
{
	__u64 *objects[2 * SCARCE_ROOM];
	int i, ret = 0;

	for (i = 0; i < 2 * SCARCE_ROOM; i++) {
		objects[i] = shmz_alloc(z, SCARCE);
		if (!objects[i])
			return 1;
		*objects[i] = (uintptr_t)&objects[i] + getpid();
	}
	for (i = 0; i < 2 * SCARCE_ROOM; i++) {
		if (*objects[i] != (uintptr_t)&objects[i] + getpid())
			ret = 2;
		if (shmz_free(z, objects[i]))
			ret = 3;
	}
	return ret;
}

static int use_in_child(struct shmz *z, bool vforks)
{
	pid_t child = vforks ? vfork() : fork();

	if (!child)
		_exit(use(z));
	return end_child(child);
}

static void *does_as_asked(void *arg)
{
	struct other *other = arg;
	char word;

	if (use(other->zone))
		_exit(2);
	pthread_barrier_wait(&other->is_ready);
	while (read(other->socket, &word, 1) == 1) {
		word = use(other->zone) ?: use_in_child(other->zone, true) ?:
		       use_in_child(other->zone, false);
		if (write(other->socket, &word, 1) != 1)
			break;
	}
	return NULL;
}

static void hand_to_another(struct shmz *z, struct scene *scene)
{
	static struct other other;
	pthread_t thread;

	other.zone = z;
	other.socket = scene->socket[1];
	if (pthread_barrier_init(&other.is_ready, NULL, 2) ||
	    pthread_create(&thread, NULL, does_as_asked, &other))
		_exit(2);
	pthread_barrier_wait(&other.is_ready);
	hand_some(z, scene);
}

static void move(struct shmz *z, struct scene *scene)
{
	void *p = strike_out(z, scene, 0);

	write_down(z, scene, 0, shmz_realloc(z, p, 200));
}

static void some_at_once(struct shmz *z, struct scene *scene, unsigned int n)
{
	void *p[RECORD];
	unsigned int i;
	ssize_t got = shmz_alloc_batch(z, 64, p, n);

	for (i = 0; (ssize_t)i < got; i++)
		write_down(z, scene, i, p[i]);
	for (i = 0; i < n; i++)
		p[i] = strike_out(z, scene, i);
	shmz_free_batch(z, p, n);
}

static void few(struct shmz *z, struct scene *scene)
{
	some_at_once(z, scene, FEW);
}

static void many(struct shmz *z, struct scene *scene)
{
	some_at_once(z, scene, MANY);
}

static void flush(struct shmz *z, struct scene *scene)
{
	shmz_cache_flush(z);
}

static int is_killed(void *arg)
{
	struct scene *scene = arg;
	struct shmz *z = shmz_adopt(scene->zone);
	long client = z ? _try_client(scene->zone) : -ENODEV;

	if (client < 0)
		return 1;
	scene->client = client;
	if (scene->prepare)
		scene->prepare(z, scene);
	step_here();
	scene->run(z, scene);
	return 0;
}

/* After each kill. */

static bool check(struct scene *scene, bool right, const char *what)
{
	if (!right && !scene->wrong)
		scene->wrong = what;
	return right;
}

static bool usable(int zone)
{
	__u64 offset;

	return _try_alloc(zone, 64, 1, &offset) == 1 && _try_free_at(zone, offset) == 1;
}

/* What others do who find the record. In owned zones all has gone with its owner. */
static void free_recorded(struct scene *scene)
{
	unsigned int i;

	for (i = 0; i < RECORD; i++) {
		if (scene->record[i] && !scene->owned)
			_try_free_at(scene->zone, scene->record[i]);
		scene->record[i] = 0;
	}
}

static bool all_is_well(void *arg, unsigned long at)
{
	struct scene *scene = arg;
	struct shmzone_stat stat;

	check(scene, usable(scene->zone), "it cannot be used");
	check(scene, !_try_sync(scene->zone, scene->client, 60000000000ULL),
	      "the client does not go");
	free_recorded(scene);
	check(scene, !_try_stat(scene->zone, &stat), "there are no figures");
	check(scene, !stat.out_cached_objects, "what was in its caches is not back");
	check(scene, !stat.out_bad_not_live && !stat.out_bad_interior &&
	      !stat.out_bad_outside && !stat.out_bad_misaligned && !stat.out_bad_bytes,
	      "something was freed that was not there");
	check(scene, !stat.out_bad_bins, "there are wrong bins");
	check(scene, stat.out_live_objects >= scene->lost, "what was lost has come back");
	check(scene, stat.out_live_objects <= scene->lost + scene->in_flight,
	      "more was lost than was in flight");
	check(scene, zone_consistent(scene->zone), "the allocator contradicts itself");
	scene->lost = stat.out_live_objects;
	return !scene->wrong;
}

static bool runs_to_its_end(pid_t child)
{
	int status;

	return !ptrace(PTRACE_CONT, child, 0, 0) && waitpid(child, &status, 0) == child &&
	       WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Then it is killed there, or goes on. */
static bool others_work(void *arg, pid_t child, unsigned long instructions, bool *ended)
{
	struct scene *scene = arg;
	char word = 0;

	if (write(scene->socket[0], &word, 1) != 1 || read(scene->socket[0], &word, 1) != 1)
		return check(scene, false, "another thread waits for it");
	if (!check(scene, !word, "another thread or a child got what is not its own"))
		return false;
	*ended = rand() % 2;
	return !*ended || check(scene, runs_to_its_end(child), "it does not end");
}

FIXTURE(kill) {
	struct scene *scene;
};

FIXTURE_VARIANT(kill) {
	void (*prepare)(struct shmz *z, struct scene *scene);
	void (*run)(struct shmz *z, struct scene *scene);
	/* Objects that it may lose the record of at once. */
	unsigned int in_flight;
	__u32 kind;
	/* Another thread is at work where it stops. */
	bool beside;
};

#define SWEEP(name, ...)						\
FIXTURE_VARIANT_ADD(kill, name) {					\
	__VA_ARGS__							\
}

SWEEP(alloc_and_free, warm_up, alloc_and_free, 1);
SWEEP(refill, warm_up, ask_for_more, 1);
SWEEP(drain, hold_two, give_back, 1);
SWEEP(first_use, NULL, alloc_and_free, 1);
SWEEP(group, warm_up, use_a_group, 1);
SWEEP(span, warm_up, use_a_span, 1);
SWEEP(known_size, warm_up, of_known_size, 1);
SWEEP(aligned, warm_up, aligned, 1);
SWEEP(waiting, warm_up, wait_for_one, 1);
SWEEP(realloc, hold_two, move, 2);
SWEEP(few, warm_up, few, FEW);
SWEEP(many, warm_up, many, MANY);
SWEEP(flush, warm_up, flush, 0);
SWEEP(depot, hand_to_nobody, through_depot, 1);
SWEEP(depot_beside, hand_to_another, through_depot, 1, .beside = true);
/* Where the kernel does something else in other kinds of zones. */
SWEEP(strict_refill, warm_up, ask_for_more, 1, SHMZONE_CREATE_STRICT);
SWEEP(strict_span, warm_up, use_a_span, 1, SHMZONE_CREATE_STRICT);
SWEEP(committed_refill, warm_up, ask_for_more, 1, SHMZONE_CREATE_COMMITTED);
SWEEP(committed_span, warm_up, use_a_span, 1, SHMZONE_CREATE_COMMITTED);
/* Where nothing is lost. */
SWEEP(owned_alloc_and_free, warm_up, alloc_and_free, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_refill, warm_up, ask_for_more, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_drain, hold_two, give_back, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_first_use, NULL, alloc_and_free, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_span, warm_up, use_a_span, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_depot, hand_to_nobody, through_depot, 0, SHMZONE_CREATE_OWNED);
SWEEP(owned_depot_beside, hand_to_another, through_depot, 0, SHMZONE_CREATE_OWNED, true);
SWEEP(owned_many, warm_up, many, 0, SHMZONE_CREATE_OWNED);
SWEEP(checked_alloc_and_free, warm_up, alloc_and_free, 0, CHECKED);
SWEEP(checked_refill, warm_up, ask_for_more, 0, CHECKED);
SWEEP(checked_drain, hold_two, give_back, 0, CHECKED);
SWEEP(checked_flush, warm_up, flush, 0, CHECKED);

FIXTURE_SETUP(kill)
{
	struct scene *scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timeval minute = { .tv_sec = 60 };

	ASSERT_NE(MAP_FAILED, scene);
	self->scene = scene;
	scene->zone = create_kind(control_fd(), variant->kind, ZONE_BYTES, 0);
	scene->prepare = variant->prepare;
	scene->run = variant->run;
	scene->in_flight = variant->in_flight;
	scene->owned = variant->kind & SHMZONE_CREATE_OWNED;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, scene->socket));
	ASSERT_EQ(0, setsockopt(scene->socket[0], SOL_SOCKET, SO_RCVTIMEO, &minute,
				sizeof(minute)));
	/* Who has no caches cannot allocate there. */
	if (scene->owned)
		map_caches_ok(scene->zone, 1);
}

FIXTURE_TEARDOWN(kill)
{
	close(self->scene->socket[0]);
	close(self->scene->socket[1]);
	close(self->scene->zone);
}

static double sweep_seconds(void)
{
	const char *seconds = getenv("SHMZONE_SWEEP_SECONDS");

	return seconds ? atof(seconds) : SECONDS;
}

TEST_F_TIMEOUT(kill, at_each_instruction, 7200)
{
	struct scene *scene = self->scene;
	struct step_sweep sweep = {
		.function = is_killed,
		.arg = scene,
		.stopped = variant->beside ? others_work : NULL,
		.after = all_is_well,
		.seconds = sweep_seconds(),
		.steady = true,
	};
	bool ended = step_sweep(&sweep);

	TH_LOG("killed %lu times, at every %lu of %lu instructions: %llu objects lost, %lu strayed",
	       sweep.kills, sweep.stride, sweep.instructions, scene->lost, sweep.strays);
	if (scene->wrong)
		TH_LOG("wrong: %s", scene->wrong);
	ASSERT_EQ(NULL, scene->wrong);
	ASSERT_TRUE(ended);
	if (variant->run == through_depot)
		ASSERT_LT(0, scene->handed);
	/* A slow machine takes back the stock of the slow; of all only one that kills few. */
	if (sweep.kills >= KILLS_THAT_TELL)
		ASSERT_GE(sweep.kills / 4, sweep.strays);
	/* Somewhere on its way it has told nobody yet. */
	if (scene->in_flight && sweep.stride == 1)
		ASSERT_LT(0, scene->lost);
}

TEST_HARNESS_MAIN
