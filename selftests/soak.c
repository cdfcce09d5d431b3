// SPDX-License-Identifier: GPL-2.0
/*
 * Mixed work by several processes, of which one is killed every now and then at
 * any instruction, for as long as one likes; and what the machine has afterwards.
 *
 * The time is cut into epochs. In each, workers share a new named zone, of each
 * kind in turn: they allocate and free objects and spans of all sizes, single, in
 * batches and by a cache, set roots, wait for memory, fork, open the zone by its
 * name and map it and their cache anew. Every worker records what it has, in memory
 * that outlives it. A killed process's objects stay allocated: the janitor, who is
 * the parent, frees them from its record, and a new worker takes its place. All the
 * while a prober, a process that is never killed, uses the zone in every way, and
 * must always get through.
 *
 * At the end of an epoch all is freed from the records. What is still live was
 * lost by a kill between an allocation and its record, or between a free and its
 * record: at most a batch a kill. In zones with owners, where objects go from hand
 * to hand, too, nothing is lost, and the records are not needed: all goes with the
 * clients, but for what was given to nobody. Then the zone goes, and so must all
 * memory: that of the data and what the kernel took for it, by /proc/meminfo.
 *
 * SHMZONE_SECONDS is the time of all epochs (20), SHMZONE_SEED the seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "soak.h"

#define LIMIT_BYTES	(96 * MIB)

struct shared *shared;
int control;
char name[32];

void wrong(const char *what, long ret)
{
	note_wrong(&shared->wrong, what, ret);
}

bool is_owned(void)
{
	return shared->kind & SHMZONE_CREATE_OWNED;
}

/*
 * Free what a worker had. What it was just freeing is refused, and gone. In zones
 * with owners all that it had goes by itself.
 */
static void clean_up(int zone, struct record *record)
{
	__u64 *offsets = &record->offsets[0][0];
	int i;

	for (i = 0; i < HELD * BATCH; i++) {
		if (offsets[i] && !is_owned())
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

/* What was given to nobody, and nobody took. */
static void free_nobodys(int zone)
{
	struct shmzone_query found;
	int i;

	for (i = 0; i < WAYS; i++) {
		__u64 offset = shared->nobodys[i].offset;

		if (offset && !_try_query(zone, offset, &found) && !found.out_owner &&
		    _try_free_at(zone, offset) != 1)
			wrong("what is nobody's cannot be freed", 0);
	}
	memset(shared->nobodys, 0, sizeof(shared->nobodys));
	memset(shared->offers, 0, sizeof(shared->offers));
}

/* Of all clients: what they had is free a little after they have ended. */
static bool caches_are_gone(int zone, struct shmzone_stat *stat)
{
	int i;

	for (i = 0; i < 6000; i++) {
		if (_try_stat(zone, stat))
			break;
		if (!stat->out_caches && !stat->out_cached_objects &&
		    !(is_owned() && stat->out_live_objects))
			return true;
		usleep(10000);
	}
	return false;
}

/* When all is freed that was recorded, at most a batch a kill is left. */
static void count_lost(int zone, unsigned long kills, struct tally *tally)
{
	struct shmzone_stat stat;

	if (is_owned())
		free_nobodys(zone);
	if (!caches_are_gone(zone, &stat))
		return wrong("clients, or what they had, are still there", stat.out_live_objects);
	tally->lost += stat.out_live_objects;
	if (stat.out_live_objects > kills * BATCH)
		wrong("more was lost than calls were in flight", stat.out_live_objects);
	if (!zone_consistent(zone))
		wrong("the allocator contradicts itself", 0);
}

/* Under another name each time: a client that ends may hold the last one for a while. */
static int create_zone(__u32 kind)
{
	static unsigned int number;
	struct shmzone_create args = {
		SIZED(shmzone_create), .flags = kind | SHMZONE_CREATE_EXCL,
		.zone_bytes = ZONE_BYTES, .limit_bytes = LIMIT_BYTES, .name = to_u64(name),
		.mode = 0600,
	};

	args.name_len = snprintf(name, sizeof(name), "soak-%d-%u", getpid(), ++number);
	return _try_call(control, SHMZONE_CREATE, &args);
}

static void run_epoch(__u32 kind, double duration, __u64 *random, struct tally *tally)
{
	unsigned long kills = tally->kills;
	pid_t workers[WORKERS], prober;
	int zone = create_zone(kind), i;
	char *data;

	if (zone < 0)
		return wrong("no zone can be made", zone);
	data = map_data(zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	shared->kind = kind;
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

/* Best effort. */
static void poke(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		ksft_print_msg("%s cannot be written to\n", path);
	close(fd);
}

/*
 * Empty slabs go, and on kernels with KASAN what was freed but is kept for a while so
 * that nobody uses it: up to a 32nd of all memory, which a young kernel is still to fill.
 */
static void shrink_slabs(void)
{
	DIR *caches = opendir("/sys/kernel/slab");
	struct dirent *cache;
	char path[300];

	while (caches && (cache = readdir(caches))) {
		/* Other names of the same. */
		if (cache->d_type == DT_LNK || cache->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache->d_name);
		poke(path, "1");
	}
	if (caches)
		closedir(caches);
}

static struct memory measure(void)
{
	poke("/proc/sys/vm/drop_caches", "3");
	shrink_slabs();
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

static unsigned long operations(void)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < WORKERS; i++)
		sum += shared->operations[i];
	return sum;
}

static void tell(const struct tally *tally)
{
	ksft_print_msg("%lu epochs, %lu operations, %lu kills, %lu objects lost, ",
		       tally->epochs, operations(), tally->kills, tally->lost);
	printf("%lu handed over, %lu probes, the slowest %.0f ms\n", shared->taken,
	       shared->probes, shared->slowest_probe * 1000);
	ksft_print_msg("at most %llu objects, %llu KiB live, %llu KiB resident at once\n",
		       tally->most_objects, tally->most_live / KIB,
		       tally->most_resident / KIB);
}

/* Of so many operations some hand an object over. */
#define TELLING		20000

static void judge_handover(void)
{
	if (shared->taken || operations() >= TELLING)
		ksft_test_result(shared->taken, "soak: objects are handed over\n");
	else
		ksft_test_result_skip("soak: too few operations to hand one over\n");
}

/* Epochs of a minute at most, and of each kind one at least. */
static bool soak(double duration, __u64 *random, struct tally *tally)
{
	static const __u32 kinds[] = {
		0, SHMZONE_CREATE_STRICT, SHMZONE_CREATE_COMMITTED,
		SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED,
		SHMZONE_CREATE_OWNED, SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
		SHMZONE_CREATE_OWNED | SHMZONE_CREATE_STRICT,
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
	ksft_set_plan(4);
	control = _try_control();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || _try_info(control, &info))
		ksft_exit_fail_msg("no memory, or no /dev/shmzone\n");
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
	judge_handover();
	ksft_test_result(zones_become(control, info.out_zones), "soak: no zone is left\n");
	ksft_test_result(memory_is_back(&before), "soak: memory comes back\n");
	ksft_finished();
}
