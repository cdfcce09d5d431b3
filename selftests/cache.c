// SPDX-License-Identifier: GPL-2.0
/*
 * Caches: the protocol of one, the mapping, and the end of a client, by raw ABI.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"

#define CACHES	4

FIXTURE(cache) {
	int control;
	int zone;
	__u32 class;
	struct shmzone_cache *caches;
};

FIXTURE_SETUP(cache)
{
	self->control = control_fd();
	self->zone = create(self->control, 16 * MIB);
	self->class = class_of(self->zone, 64);
	self->caches = map_caches_ok(self->zone, CACHES);
}

/* Whatever happened: once the caches are gone, nothing is live but @kept. */
#define nothing_left(zone, kept)					\
do {									\
	ASSERT_EQ(kept, stat_of(zone).out_live_objects);		\
	ASSERT_EQ(0, stat_of(zone).out_cached_objects);			\
	ASSERT_TRUE(zone_consistent(zone));				\
} while (0)

FIXTURE_TEARDOWN(cache)
{
	ASSERT_TRUE(zone_consistent(self->zone));
	close(self->zone);
	close(self->control);
}

static size_t caches_bytes(void)
{
	return CACHES * SHMZONE_CACHE_BYTES;
}

TEST_F(cache, begins_with_zeros)
{
	ASSERT_TRUE(all_bytes(self->caches, caches_bytes(), 0));
	ASSERT_EQ(CACHES, stat_of(self->zone).out_caches);
}

TEST_F(cache, refill_and_drain)
{
	struct shmzone_cache *cache = cache_at(self->caches, 1);
	struct shmzone_bin *bin = &cache->head.bin[self->class];
	struct shmzone_cache_refill answer;
	struct shmzone_cache_drain freed;
	__u64 *words = cache_words(cache);
	unsigned int i, last = 0;

	refill(self->zone, 1, self->class, 0, &answer);
	ASSERT_EQ(self->class, answer.out_bin);
	ASSERT_EQ(1, answer.out_count);
	ASSERT_EQ(1, cache_used(cache, self->class));
	ASSERT_EQ(bin->cur, bin->end);
	ASSERT_EQ(0, cache->head.key + ((__u32)SHMZONE_KIND_SLAB << 10));
	query(self->zone, words[bin->cur], &(struct shmzone_query){});
	ASSERT_EQ(1, stat_of(self->zone).out_cached_objects);
	ASSERT_EQ(64, stat_of(self->zone).out_cached_bytes);
	ASSERT_EQ(1, stat_of(self->zone).out_live_objects);
	/* Full and asked for more: it grows, and takes most of that, again and again. */
	for (i = 0; i < 8; i++) {
		bin->cur -= cache_used(cache, self->class);
		refill(self->zone, 1, self->class, 0, &answer);
		ASSERT_LT(last, cache_capacity(cache, self->class));
		last = cache_capacity(cache, self->class);
	}
	ASSERT_EQ(252, last);
	ASSERT_EQ(189, answer.out_count);
	/* Full: the older half goes, and once more, most of it. */
	ASSERT_EQ(252, cache_fill(self->zone, self->caches, 1, self->class, 252));
	fail_refill(ENOSPC, self->zone, 1, self->class, 0, NULL);
	drain(self->zone, 1, self->class, 0, &freed);
	ASSERT_EQ(126, freed.out_count);
	while (bin->cur != bin->end)
		words[++bin->cur] = alloc(self->zone, 64);
	drain(self->zone, 1, self->class, 0, &freed);
	ASSERT_EQ(221, freed.out_count);
	ASSERT_EQ(31, drain_all(self->zone, 1));
	ASSERT_EQ(bin->cur, bin->end);
	ASSERT_EQ(0, stat_of(self->zone).out_cached_objects);
	munmap(self->caches, caches_bytes());
	/* Those that were dropped from the bin above are still live. */
	nothing_left(self->zone, stat_of(self->zone).out_live_objects);
}

TEST_F(cache, other_groups)
{
	struct shmzone_cache_refill answer;
	struct shmzone_query found;
	unsigned int bin;

	refill(self->zone, 0, self->class, 7, &answer);
	bin = answer.out_bin;
	ASSERT_LE(SHMZONE_CLASSES, bin);
	ASSERT_EQ(bin, self->caches->head.bin_of[7 - 1][self->class]);
	query(self->zone, cache_words(self->caches)[self->caches->head.bin[bin].cur], &found);
	ASSERT_EQ(7, found.out_group);
	ASSERT_EQ(self->class, found.out_class);
	munmap(self->caches, caches_bytes());
	nothing_left(self->zone, 0);
}

TEST_F(cache, refusals)
{
	struct shmzone_cache_drain both = {
		SIZED(shmzone_cache_drain),
		.flags = SHMZONE_CACHE_DRAIN_ALL | SHMZONE_CACHE_DRAIN_SHARED,
	};
	int reader = reopen(self->zone, SHMZONE_OPEN_RDONLY);
	int other = create(self->control, MIB);

	fail_refill(EINVAL, self->zone, 0, 0, 0, NULL);
	fail_refill(EINVAL, self->zone, 0, SHMZONE_CLASSES, 0, NULL);
	fail_refill(EINVAL, self->zone, 0, self->class, SHMZONE_GROUPS, NULL);
	fail_refill(ENXIO, self->zone, CACHES, self->class, 0, NULL);
	fail_refill(ENXIO, self->zone, ~0U, self->class, 0, NULL);
	fail_refill(ENXIO, other, 0, self->class, 0, NULL);
	fail_refill(EACCES, reader, 0, self->class, 0, NULL);
	fail_drain(EINVAL, self->zone, 0, 0, 0, NULL);
	fail_drain(EINVAL, self->zone, 0, self->class, SHMZONE_GROUPS, NULL);
	gives_errno(EINVAL, _try_call(self->zone, SHMZONE_CACHE_DRAIN, &both));
	fail_drain(ENXIO, self->zone, CACHES, self->class, 0, NULL);
	fail_drain(EACCES, reader, 0, self->class, 0, NULL);
	gives_errno(EACCES, _try_reclaim(reader, NULL));
	gives_errno(ENXIO, _try_client(other));
	ASSERT_EQ(client_of(self->zone), client_of(reader));

	cache_be_busy(self->caches);
	fail_refill(EBUSY, self->zone, 0, self->class, 0, NULL);
	fail_drain(EBUSY, self->zone, 0, self->class, 0, NULL);
	gives_errno(EBUSY, _try_drain_all(self->zone, 0));
	self->caches->head.key = 0;
	refill(self->zone, 0, self->class, 0, NULL);
	ASSERT_GT(0, (int)self->caches->head.key);
	close(other);
	close(reader);
}

TEST_F(cache, mapping_refusals)
{
	int reader = reopen(self->zone, SHMZONE_OPEN_RDONLY);
	int other = create(self->control, MIB);
	size_t bytes = SHMZONE_CACHE_BYTES;
	char *at = (char *)self->caches;

#define fail_mmap(e, ...)						\
do {									\
	ASSERT_EQ(MAP_FAILED, mmap(NULL, __VA_ARGS__));			\
	ASSERT_EQ(e, errno);						\
} while (0)
	fail_map_caches(EBUSY, self->zone, 1);
	fail_map_caches(EACCES, reader, 1);
	fail_mmap(EACCES, bytes, PROT_READ, MAP_SHARED, reader, SHMZONE_MMAP_CACHES);
	fail_mmap(EINVAL, bytes, PROT_READ, MAP_PRIVATE, other, SHMZONE_MMAP_CACHES);
	fail_mmap(EACCES, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, other,
		  SHMZONE_MMAP_CACHES);
	fail_mmap(EINVAL, bytes + page_bytes(), PROT_READ, MAP_SHARED, other,
		  SHMZONE_MMAP_CACHES);
	fail_mmap(EINVAL, bytes, PROT_READ, MAP_SHARED, other,
		  SHMZONE_MMAP_CACHES + bytes);
	fail_map_caches(EINVAL, other, SHMZONE_CACHES_MAX + 1);
	ASSERT_EQ(0, _try_map_caches(other, SHMZONE_CACHES_MAX));

	/* What is done to a part of it, or moves it. */
	at[0] = 0;
	refill(self->zone, 3, self->class, 0, NULL);
	ASSERT_EQ(-1, munmap(at, bytes));
	ASSERT_EQ(-1, munmap(at + bytes, bytes));
	ASSERT_EQ(-1, mprotect(at, bytes, PROT_READ));
	ASSERT_EQ(MAP_FAILED, mremap(at, caches_bytes(), bytes, 0));
	ASSERT_EQ(MAP_FAILED, mremap(at, caches_bytes(), 2 * caches_bytes(),
				     MREMAP_MAYMOVE));
	ASSERT_EQ(MAP_FAILED, mremap(at, caches_bytes(), caches_bytes(),
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     at - 64 * MIB));
	ASSERT_EQ(MAP_FAILED, mremap(at, 0, caches_bytes(), MREMAP_MAYMOVE));
	ASSERT_EQ(-1, syscall(__NR_remap_file_pages, at, bytes, 0, 1, 0));
	ASSERT_EQ(-1, mprotect(at, caches_bytes(), PROT_READ | PROT_EXEC));
	ASSERT_EQ(-1, madvise(at, caches_bytes(), MADV_DOFORK));
	ASSERT_EQ(-1, madvise(at, caches_bytes(), MADV_DODUMP));
	ASSERT_EQ(1, stat_of(self->zone).out_cached_objects);
	ASSERT_EQ(1, cache_used(cache_at(self->caches, 3), self->class));
	ASSERT_EQ(1, drain_all(self->zone, 3));

	ASSERT_EQ(0, munmap(at, caches_bytes()));
	nothing_left(self->zone, 0);
	gives_errno(ENXIO, _try_client(self->zone));
	self->caches = map_caches_ok(self->zone, 1);
	close(other);
	close(reader);
}

TEST_F(cache, all_bins_and_unmap)
{
	unsigned int class;

	for (class = 1; class < SHMZONE_CLASSES; class++)
		refill(self->zone, 2, class, 0, NULL);
	ASSERT_EQ(SHMZONE_CLASSES - 1, stat_of(self->zone).out_cached_objects);
	munmap(self->caches, caches_bytes());
	nothing_left(self->zone, 0);
	ASSERT_EQ(0, stat_of(self->zone).out_caches);
}

TEST_F(cache, figures_of_kernel_memory)
{
	struct shmzone_stat before, after;
	int zone = create(self->control, MIB);

	before = stat_of(zone);
	self->caches = map_caches_ok(zone, 2);
	*(volatile char *)self->caches;
	after = stat_of(zone);
	ASSERT_EQ(1, after.out_caches);
	ASSERT_LT(before.out_kernel_bytes + page_bytes(), after.out_kernel_bytes);
	munmap(self->caches, 2 * SHMZONE_CACHE_BYTES);
	ASSERT_EQ(before.out_kernel_bytes, stat_of(zone).out_kernel_bytes);
	close(zone);
}

/* The end of a client. */

struct client_arg {
	int zone;
	__u32 class;
	struct shmzone_cache *caches;
	int pipe[2];
	int go[2];
};

/* The child has a mapping of its own, with stock, and tells its number. */
static int stocked_child(void *arg)
{
	struct client_arg *a = arg;
	long id;

	if (!all_bytes(a->caches, SHMZONE_CACHE_BYTES, 0))
		return 1;
	if (cache_fill(a->zone, a->caches, 0, a->class, 50) != 50)
		return 2;
	id = _try_client(a->zone);
	if (write(a->pipe[1], &id, sizeof(id)) != sizeof(id))
		return 3;
	return 0;
}

static int stocked_child_waits(void *arg)
{
	int ret = stocked_child(arg);

	if (!ret)
		pause();
	return ret;
}

TEST_F(cache, fork_and_exit)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	long id;

	ASSERT_EQ(0, pipe(arg.pipe));
	ASSERT_EQ(30, cache_fill(self->zone, self->caches, 0, self->class, 30));
	ASSERT_EQ(0, in_child(stocked_child, &arg));
	ASSERT_EQ(sizeof(id), read(arg.pipe[0], &id, sizeof(id)));
	ASSERT_LT(client_of(self->zone), id);
	sync_client(self->zone, id, 0);
	ASSERT_EQ(30, cache_used(self->caches, self->class));
	ASSERT_EQ(30, stat_of(self->zone).out_live_objects);
	munmap(self->caches, caches_bytes());
	nothing_left(self->zone, 0);
}

TEST_F(cache, killed)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	pid_t child;
	long id;

	ASSERT_EQ(0, pipe(arg.pipe));
	child = start_child(stocked_child_waits, &arg);
	ASSERT_EQ(sizeof(id), read(arg.pipe[0], &id, sizeof(id)));
	ASSERT_EQ(50, stat_of(self->zone).out_cached_objects);
	gives_errno(ETIMEDOUT, _try_sync(self->zone, id, 1000000));
	kill(child, SIGKILL);
	sync_client(self->zone, id, 0);
	nothing_left(self->zone, 0);
	ASSERT_EQ(-SIGKILL, end_child(child));
	sync_client(self->zone, id, 0);
	sync_client(self->zone, ~0ULL, 0);
}

static int execs(void *arg)
{
	int ret = stocked_child(arg);

	if (!ret)
		execl("/bin/sleep", "sleep", "1000", NULL);
	return ret;
}

TEST_F(cache, exec)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	pid_t child;
	long id;

	ASSERT_EQ(0, pipe(arg.pipe));
	child = start_child(execs, &arg);
	ASSERT_EQ(sizeof(id), read(arg.pipe[0], &id, sizeof(id)));
	sync_client(self->zone, id, 0);
	nothing_left(self->zone, 0);
	kill(child, SIGKILL);
	end_child(child);
}

/* A child that shares the memory shares the caches: no close but the last. */
static int uses_parents(void *arg)
{
	struct client_arg *a = arg;

	return cache_used(a->caches, a->class) != 30 ||
	       _try_refill(a->zone, 1, a->class, 0, NULL);
}

static char stack[2][65536] __attribute__((aligned(16)));

TEST_F(cache, clones_that_share_the_memory)
{
	static const int flags[] = { CLONE_VM, CLONE_VM | CLONE_VFORK };
	struct shmzone_cache_reclaim answer;
	struct client_arg arg = { self->zone, self->class, self->caches };
	int i, status;
	pid_t child;

	ASSERT_EQ(30, cache_fill(self->zone, self->caches, 0, self->class, 30));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		child = clone(uses_parents, stack[i] + sizeof(stack[i]),
			      flags[i] | SIGCHLD, &arg);
		ASSERT_LT(0, child);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
		ASSERT_EQ(30, cache_used(self->caches, self->class));
	}
	refill(self->zone, 1, self->class, 0, NULL);
	child = vfork();
	if (!child)
		_exit(uses_parents(&arg));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(30, cache_used(self->caches, self->class));
	/* It used the cache in this thread's name, which is at work on it again. */
	cache_be_busy(cache_at(self->caches, 1));
	reclaim(self->zone, &answer);
	ASSERT_EQ(1, answer.out_busy);
	cache_be_idle(cache_at(self->caches, 1));
	munmap(self->caches, caches_bytes());
	nothing_left(self->zone, 0);
}

TEST_F(cache, raw_clone_and_grandchildren)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	pid_t child = syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	int status;

	if (!child) {
		if (pipe(arg.pipe) || stocked_child(&arg))
			_exit(1);
		/* The grandchild's are fresh again. */
		_exit(in_child(stocked_child, &arg) ||
		      cache_used(self->caches, self->class) != 50);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, stat_of(self->zone).out_live_objects);
}

/* A page of zeros that can be written to, and the only thing it is; no more of it. */
static bool is_no_cache(struct shmzone_cache *cache)
{
	if (touch_write(&cache->head.key) || !all_bytes(cache, page_bytes(), 0))
		return false;
	if (touch_write((char *)cache + page_bytes()) != SIGBUS)
		return false;
	cache->head.key = SHMZONE_CACHE_BUSY;
	if (cache->head.key != SHMZONE_CACHE_BUSY)
		return false;
	cache->head.key = 0;
	return true;
}

static bool is_nobodys(struct shmzone_cache *caches)
{
	int i;

	for (i = 0; i < CACHES; i++)
		if (!is_no_cache(cache_at(caches, i)))
			return false;
	return true;
}

static int faults_or_maps(void *arg)
{
	struct client_arg *a = arg;

	/* The inherited mapping was not used: a new one is possible. */
	if (_try_map_caches(a->zone, 1) || _try_refill(a->zone, 0, a->class, 0, NULL))
		return 1;
	/* It holds nothing for whoever still has an address of it. */
	return !is_nobodys(a->caches) || _try_refill(a->zone, 0, a->class, 0, NULL);
}

TEST_F(cache, child_that_maps_its_own)
{
	struct client_arg arg = { self->zone, self->class, self->caches };

	ASSERT_EQ(0, in_child(faults_or_maps, &arg));
	refill(self->zone, 0, self->class, 0, NULL);
}

static int not_inherited(void *arg)
{
	struct client_arg *a = arg;

	return touch_write(a->caches) != SIGSEGV || _try_client(a->zone) != -ENXIO;
}

TEST_F(cache, dontfork)
{
	struct client_arg arg = { self->zone, self->class, self->caches };

	ASSERT_EQ(0, madvise(self->caches, caches_bytes(), MADV_DONTFORK));
	ASSERT_EQ(0, in_child(not_inherited, &arg));
}

static int child_without_right(void *arg)
{
	struct client_arg *a = arg;

	if (!become(STRANGER, GROUP))
		return 1;
	munmap(a->caches, CACHES * SHMZONE_CACHE_BYTES);
	return _try_map_caches(a->zone, 1) != -EDQUOT;
}

TEST_F(cache, ceiling_on_clients)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	unsigned long long before = get_parameter("user_clients_max");

	if (!set_parameter("user_clients_max", 0))
		SKIP(return, "parameters cannot be set");
	ASSERT_EQ(0, in_child(child_without_right, &arg));
	set_parameter("user_clients_max", before);
	ASSERT_NE(0, before);
}

static int has_no_client(void *arg)
{
	struct client_arg *a = arg;

	return !is_nobodys(a->caches) || _try_client(a->zone) != -ENXIO ||
	       _try_refill(a->zone, 0, a->class, 0, NULL) != -ENXIO;
}

static int inherits_without_right(void *arg)
{
	if (!become(STRANGER, GROUP))
		return 1;
	return has_no_client(arg) || in_child(has_no_client, arg);
}

/* The child is counted when it touches the caches for the first time, and never again. */
static int loses_right_for_good(void *arg)
{
	struct client_arg *a = arg;
	char byte = 0;

	if (!become(STRANGER, GROUP) || !is_nobodys(a->caches))
		return 1;
	/* From here on it could be a client. */
	if (write(a->pipe[1], &byte, 1) != 1 || read(a->go[0], &byte, 1) != 1)
		return 2;
	if (has_no_client(arg))
		return 3;
	/* So can its child, and who maps once more. */
	if (in_child(stocked_child, a))
		return 4;
	munmap(a->caches, CACHES * SHMZONE_CACHE_BYTES);
	return _try_map_caches(a->zone, 1) || _try_client(a->zone) < 0 ? 5 : 0;
}

TEST_F(cache, children_beyond_the_ceiling)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	unsigned long long before = get_parameter("user_clients_max");
	pid_t child;
	char byte;
	int ret;

	if (!set_parameter("user_clients_max", 0))
		SKIP(return, "parameters cannot be set");
	ASSERT_EQ(0, pipe(arg.pipe) | pipe(arg.go));
	ASSERT_EQ(30, cache_fill(self->zone, self->caches, 0, self->class, 30));
	ret = in_child(inherits_without_right, &arg);
	child = start_child(loses_right_for_good, &arg);
	EXPECT_EQ(1, read(arg.pipe[0], &byte, 1));
	set_parameter("user_clients_max", before);
	ASSERT_EQ(1, write(arg.go[1], &byte, 1));
	ASSERT_EQ(0, end_child(child));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(30, cache_used(self->caches, self->class));
	ASSERT_EQ(30, stat_of(self->zone).out_live_objects);
}

enum { HAS_NONE = 1, HAS_SOME, HAS_ALL, WRONG };

/*
 * How many caches the child gets by touching them; those it does not get are zeros.
 * Of others a page may be lacking.
 */
static int inherits_some(void *arg)
{
	struct client_arg *a = arg;
	int i, has = 0;

	if (!become(STRANGER, GROUP))
		return WRONG;
	for (i = 0; i < CACHES; i++) {
		struct shmzone_cache *cache = cache_at(a->caches, i);
		int signal = touch_write(&cache->head.key);
		long ret = _try_refill(a->zone, i, a->class, 0, NULL);

		if (signal || (ret && ret != -EDQUOT && ret != -ENXIO))
			return WRONG;
		if (ret == -ENXIO && !is_no_cache(cache))
			return WRONG;
		has += ret != -ENXIO;
	}
	return has == CACHES ? HAS_ALL : has ? HAS_SOME : HAS_NONE;
}

TEST_F(cache, children_with_memory_for_some)
{
	struct client_arg arg = { self->zone, self->class, self->caches };
	unsigned long long before = get_parameter("user_cache_bytes_max");
	int seen[HAS_ALL + 1] = { 0 }, ret = HAS_NONE;
	unsigned long long bytes;

	if (!set_parameter("user_cache_bytes_max", 0))
		SKIP(return, "parameters cannot be set");
	for (bytes = 0; ret < HAS_ALL && bytes < MIB; bytes += 4 * KIB) {
		set_parameter("user_cache_bytes_max", bytes);
		ret = in_child(inherits_some, &arg);
		if (ret >= HAS_NONE && ret <= HAS_ALL)
			seen[ret]++;
		else
			break;
	}
	set_parameter("user_cache_bytes_max", before);
	ASSERT_LT(0, seen[HAS_NONE]);
	ASSERT_LT(0, seen[HAS_SOME]);
	ASSERT_EQ(1, seen[HAS_ALL]);
}

/* A mapping alone keeps zone and module. */
TEST_F(cache, mapping_outlives_descriptor)
{
	__u64 zones = ({ struct shmzone_info i; info(self->control, &i); i.out_zones; });

	refill(self->zone, 0, self->class, 0, NULL);
	close(self->zone);
	ASSERT_EQ(0, touch_write(cache_at(self->caches, 1)));
	munmap(self->caches, caches_bytes());
	ASSERT_TRUE(zones_become(self->control, zones - 1));
	self->zone = create(self->control, MIB);
}

TEST_HARNESS_MAIN
