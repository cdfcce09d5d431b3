// SPDX-License-Identifier: GPL-2.0
/*
 * Mixed work by several processes, of which one is killed every now and then at
 * any instruction, for as long as one likes; and what the machine has afterwards.
 *
 * The time is cut into epochs. In each, workers share a new named zone, of each
 * kind in turn: they allocate and free objects and spans of all sizes, single and
 * in batches, set roots, wait for memory, fork, open the zone by its name and map
 * it anew. Every worker records what it has, in memory that outlives it. A killed
 * process's objects stay allocated: the janitor, who is the parent, frees them
 * from its record, and a new worker takes its place. All the while a prober, a
 * process that is never killed, uses the zone in every way, and must always get
 * through.
 *
 * At the end of an epoch all is freed from the records. What is still live was
 * lost by a kill between an allocation and its record, or between a free and its
 * record: at most a batch a kill. Then the zone goes, and so must all memory:
 * that of the data and what the kernel took for it, by /proc/meminfo.
 *
 * SHMZONE_SECONDS is the time of all epochs (20), SHMZONE_SEED the seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "crowd.h"

#define WORKERS		4
#define HELD		96
#define BATCH		16
#define ZONE_BYTES	(1 * GIB)
#define LIMIT_BYTES	(96 * MIB)
#define ROOT_NAME	"soak"

/* What one worker has; offset 0 is no object. */
struct record {
	__u64 offsets[HELD][BATCH];
};

struct shared {
	struct record records[WORKERS];
	unsigned long operations[WORKERS];
	unsigned long probes;
	double slowest_probe;
	bool over;
	struct wrong wrong;
};

static struct shared *shared;
static int control;
static char name[32];

static void wrong(const char *what, int ret)
{
	note_wrong(&shared->wrong, what, ret);
}

struct worker {
	int zone;
	char *data;
	__u64 random;
	struct record *record;
	unsigned long *operations;
};

/* Mostly small, at times a span, seldom a large one. */
static __u64 random_size(__u64 *random)
{
	if (next_random(random) % 64 == 0)
		return 1 + next_random(random) % MIB;
	return 1 + next_random(random) % (16U << next_random(random) % 13);
}

static void take(struct worker *worker, __u64 *slots)
{
	__u64 bytes = random_size(&worker->random), offsets[BATCH];
	__u32 count = bytes > 32 * KIB ? 1 : 1 + next_random(&worker->random) % BATCH;
	int n, i;

	if (next_random(&worker->random) % 8)
		n = _try_alloc_in(worker->zone, next_random(&worker->random) % 4, bytes,
				  count, offsets);
	else
		n = _try_alloc_wait(worker->zone, bytes, count, 20000000, offsets);
	if (n < 0 && n != -ENOMEM && n != -ETIMEDOUT)
		wrong("a worker cannot allocate", n);
	for (i = 0; i < n; i++) {
		__atomic_store_n(&slots[i], offsets[i], __ATOMIC_SEQ_CST);
		memset(worker->data + offsets[i], i, bytes < 64 ? bytes : 64);
	}
}

static void give_back(struct worker *worker, __u64 *slots)
{
	__u64 offsets[BATCH];
	int n, i;

	for (n = 0, i = 0; i < BATCH; i++)
		if (slots[i])
			offsets[n++] = slots[i];
	/* Out of the record first: what is freed may be somebody else's at once. */
	for (i = 0; i < BATCH; i++)
		__atomic_store_n(&slots[i], 0, __ATOMIC_SEQ_CST);
	if (n && _try_free_all(worker->zone, offsets, n) != n)
		wrong("a worker's free was refused", n);
}

static void set_a_root(struct worker *worker, __u64 offset)
{
	struct shmzone_root_set set = {
		SIZED(shmzone_root_set), NAMED(ROOT_NAME), .offset = offset,
	};
	int ret = _try_call(worker->zone, SHMZONE_ROOT_SET, &set);

	if (ret)
		wrong("a worker cannot set a root", ret);
}

static void be_elsewhere(struct worker *worker)
{
	int zone = _try_open_zone(control, name, 0);
	char *data;

	if (zone < 0)
		return wrong("the zone is not found by its name", zone);
	data = map_data(zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	if (data == MAP_FAILED)
		return wrong("the zone cannot be mapped", -errno);
	munmap(worker->data, ZONE_BYTES);
	close(worker->zone);
	worker->zone = zone;
	worker->data = data;
}

static void fork_a_child(struct worker *worker)
{
	pid_t pid = fork();
	__u64 offset;

	if (!pid) {
		/* Freed at once: what a child has is in no record. */
		if (_try_alloc(worker->zone, 200, 1, &offset) == 1) {
			worker->data[offset] = 1;
			_try_free_at(worker->zone, offset);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void work_once(struct worker *worker)
{
	__u64 *slots = worker->record->offsets[next_random(&worker->random) % HELD];
	__u32 what = next_random(&worker->random) % 1024;

	if (what < 4)
		fork_a_child(worker);
	else if (what < 12)
		be_elsewhere(worker);
	else if (what < 40 && slots[0])
		set_a_root(worker, slots[0]);
	else if (slots[0])
		give_back(worker, slots);
	else
		take(worker, slots);
	(*worker->operations)++;
}

static pid_t start_worker(int number, __u64 seed)
{
	struct worker worker = {
		.random = seed * 1000003 + number,
		.record = &shared->records[number],
		.operations = &shared->operations[number],
		.zone = -1,
	};
	pid_t pid = fork();

	if (pid)
		return pid;
	setpgid(0, 0);
	be_elsewhere(&worker);
	while (!shared->wrong.is)
		work_once(&worker);
	_exit(0);
}

/* All that one can do to a zone, at any moment. */
static const char *probe(int zone, char *data)
{
	struct shmzone_root_get get = { SIZED(shmzone_root_get), NAMED(ROOT_NAME) };
	struct shmzone_query query;
	struct shmzone_stat stat;
	__u64 offset;
	int fd, n;

	fd = _try_open_zone(control, name, SHMZONE_OPEN_RDONLY);
	if (fd < 0)
		return "the prober cannot open the zone";
	close(fd);
	if (_try_stat(zone, &stat) || stat.out_taken_bytes > stat.out_limit_bytes)
		return "the figures make no sense";
	if (_try_call(zone, SHMZONE_ROOT_GET, &get))
		return "the prober cannot read a root";
	/* It may be full, but not for long, since all free as much as they take. */
	n = _try_alloc_wait(zone, 100, 1, 30000000000ULL, &offset);
	if (n != 1)
		return "the prober cannot allocate";
	data[offset] = 1;
	if (_try_query(zone, offset, &query) || query.out_bytes < 100)
		return "the prober's object is not there";
	if (_try_free_at(zone, offset) != 1)
		return "the prober cannot free its object";
	return NULL;
}

static pid_t start_prober(int zone, char *data)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	while (!shared->over) {
		double start = now(), took;
		const char *error = probe(zone, data);

		if (error)
			wrong(error, 0);
		took = now() - start;
		if (took > shared->slowest_probe)
			shared->slowest_probe = took;
		shared->probes++;
		usleep(10000);
	}
	_exit(0);
}

/* Free what a worker had. What it was just freeing is refused, and gone. */
static void clean_up(int zone, struct record *record)
{
	__u64 *offsets = &record->offsets[0][0];
	int i;

	for (i = 0; i < HELD * BATCH; i++) {
		if (offsets[i])
			_try_free_at(zone, offsets[i]);
		offsets[i] = 0;
	}
}

/* A worker with whatever it has started; its record can be used at once. */
static void kill_worker(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

struct tally {
	unsigned long kills, lost, epochs;
	__u64 most_resident, most_live, most_objects;
};

static void note_load(int zone, struct tally *tally)
{
	struct shmzone_stat stat;

	if (_try_stat(zone, &stat))
		return wrong("the janitor cannot ask for figures", 0);
	if (stat.out_resident_bytes > tally->most_resident)
		tally->most_resident = stat.out_resident_bytes;
	if (stat.out_live_bytes > tally->most_live)
		tally->most_live = stat.out_live_bytes;
	if (stat.out_live_objects > tally->most_objects)
		tally->most_objects = stat.out_live_objects;
}

static void kill_and_replace(int zone, pid_t *workers, double end, __u64 *random,
			     struct tally *tally)
{
	while (now() < end && !shared->wrong.is) {
		int victim = next_random(random) % WORKERS;

		usleep(20000 + next_random(random) % 200000);
		note_load(zone, tally);
		kill_worker(workers[victim]);
		tally->kills++;
		clean_up(zone, &shared->records[victim]);
		workers[victim] = start_worker(victim, next_random(random));
	}
}

/* When all is freed that was recorded, at most a batch a kill is left. */
static void count_lost(int zone, unsigned long kills, struct tally *tally)
{
	struct shmzone_stat stat;

	if (_try_stat(zone, &stat))
		return wrong("the janitor cannot ask for figures", 0);
	tally->lost += stat.out_live_objects;
	if (stat.out_live_objects > kills * BATCH)
		wrong("more was lost than calls were in flight", stat.out_live_objects);
	if (!zone_consistent(zone))
		wrong("the allocator contradicts itself", 0);
}

static void run_epoch(__u32 kind, double duration, __u64 *random, struct tally *tally)
{
	unsigned long kills = tally->kills;
	pid_t workers[WORKERS], prober;
	struct shmzone_create args = {
		SIZED(shmzone_create), .flags = kind | SHMZONE_CREATE_EXCL,
		.zone_bytes = ZONE_BYTES, .limit_bytes = LIMIT_BYTES, NAMED(name),
		.mode = 0600,
	};
	int zone = _try_call(control, SHMZONE_CREATE, &args), i;
	char *data;

	if (zone < 0)
		return wrong("no zone can be made", zone);
	data = map_data(zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	shared->over = false;
	prober = start_prober(zone, data);
	for (i = 0; i < WORKERS; i++)
		workers[i] = start_worker(i, next_random(random));
	kill_and_replace(zone, workers, now() + duration, random, tally);
	for (i = 0; i < WORKERS; i++, tally->kills++)
		kill_worker(workers[i]);
	for (i = 0; i < WORKERS; i++)
		clean_up(zone, &shared->records[i]);
	shared->over = true;
	waitpid(prober, NULL, 0);
	count_lost(zone, tally->kills - kills, tally);
	munmap(data, ZONE_BYTES);
	close(zone);
	tally->epochs++;
}

/* KiB of the machine's memory, after what can be given back was. */
struct memory {
	unsigned long shmem, unreclaimable, available;
};

static unsigned long kib_of(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			kib = strtoul(line + strlen(key), NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static struct memory measure(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd >= 0) {
		if (write(fd, "3", 1) != 1)
			ksft_print_msg("caches are not dropped\n");
		close(fd);
	}
	return (struct memory) {
		.shmem = kib_of("Shmem:"),
		.unreclaimable = kib_of("SUnreclaim:"),
		.available = kib_of("MemAvailable:"),
	};
}

/*
 * Whether memory came back: of the data all, of the kernel's all but what its own
 * caches keep. Some of it is freed a little after its last user is gone.
 */
static bool memory_is_back(const struct memory *before)
{
	struct memory after;
	int i;

	for (i = 0; i < 20; i++) {
		after = measure();
		if (after.shmem <= before->shmem + 256 &&
		    after.unreclaimable <= before->unreclaimable + 2048)
			break;
		usleep(250000);
	}
	ksft_print_msg("KiB before and after: shared memory %lu, %lu; slabs %lu, %lu; ",
		       before->shmem, after.shmem, before->unreclaimable,
		       after.unreclaimable);
	printf("available %lu, %lu\n", before->available, after.available);
	return i < 20;
}

static void tell(const struct tally *tally)
{
	unsigned long operations = 0;
	int i;

	for (i = 0; i < WORKERS; i++)
		operations += shared->operations[i];
	ksft_print_msg("%lu epochs, %lu operations, %lu kills, %lu objects lost, ",
		       tally->epochs, operations, tally->kills, tally->lost);
	printf("%lu probes, the slowest %.0f ms\n", shared->probes,
	       shared->slowest_probe * 1000);
	ksft_print_msg("at most %llu objects, %llu KiB live, %llu KiB resident at once\n",
		       tally->most_objects, tally->most_live / KIB,
		       tally->most_resident / KIB);
}

/* Epochs of a minute at most, and of each kind one at least. */
static bool soak(double duration, __u64 *random, struct tally *tally)
{
	static const __u32 kinds[] = {
		0, SHMZONE_CREATE_STRICT, SHMZONE_CREATE_COMMITTED,
		SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED,
	};
	double epoch = duration / ARRAY_SIZE(kinds), end = now() + duration, next;
	size_t i;

	if (epoch > 60)
		epoch = 60;
	next = now() + 60;
	for (i = 0; (i < ARRAY_SIZE(kinds) || now() < end) && !shared->wrong.is; i++) {
		run_epoch(kinds[i % ARRAY_SIZE(kinds)], epoch, random, tally);
		if (now() > next) {
			tell(tally);
			next = now() + 60;
		}
	}
	return !shared->wrong.is;
}

int main(void)
{
	double duration = seconds_of("SHMZONE_SECONDS", 20);
	__u64 random = number_of("SHMZONE_SEED", 1);
	struct tally tally = { 0 }, warm = { 0 };
	struct shmzone_info info;
	struct memory before;
	bool well;

	ksft_print_header();
	ksft_set_plan(3);
	control = _try_control();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || _try_info(control, &info))
		ksft_exit_fail_msg("no memory, or no /dev/shmzone\n");
	snprintf(name, sizeof(name), "soak-%d", getpid());
	/* A short epoch first: what is made once is no leak. */
	memset(shared, 0, sizeof(*shared));
	run_epoch(0, 1, &random, &warm);
	zones_become(control, info.out_zones);
	before = measure();
	well = soak(duration, &random, &tally);
	tell(&tally);
	if (!well)
		ksft_print_msg("%s\n", shared->wrong.what);
	ksft_test_result(well, "soak: the zone is usable at every moment\n");
	ksft_test_result(zones_become(control, info.out_zones), "soak: no zone is left\n");
	ksft_test_result(memory_is_back(&before), "soak: memory comes back\n");
	ksft_finished();
}
