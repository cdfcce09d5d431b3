// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to die, for a process with stock in its caches and objects of its own: also
 * while somebody else still has its memory in hand, so that the end of its caches
 * is late. Until then the zone does without what is in them; CACHE_SYNC waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"
#include "group.h"

#define STOCK		50
#define OBJECTS		20
#define THREADS		3
#define ZONE_BYTES	(256 * MIB)
#define GROUP_BYTES	(24 * MIB)

/* What the victim tells, in memory that all share. */
struct told {
	int zone;
	__u32 class;
	bool owned;
	long client;
	pid_t other;		/* a process of its own making */
	unsigned int calls;	/* by its threads */
	char byte;		/* to be read by others */
};

FIXTURE(death) {
	struct told *told;
	struct shmzone_cache *caches;
	__u64 objects;		/* that are left of one who had some */
	__u64 zones;
	int control;
	int zone;
};

FIXTURE_VARIANT(death) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(death, plain) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(death, strict) {
	.kind = SHMZONE_CREATE_STRICT,
};

FIXTURE_VARIANT_ADD(death, owned) {
	.kind = SHMZONE_CREATE_OWNED,
};

FIXTURE_VARIANT_ADD(death, checked) {
	.kind = SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
};

FIXTURE_SETUP(death)
{
	struct shmzone_info args;

	self->told = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->told);
	self->control = control_fd();
	info(self->control, &args);
	self->zones = args.out_zones;
	self->zone = create_kind(self->control, variant->kind, ZONE_BYTES, 0);
	self->told->zone = self->zone;
	self->told->class = class_of(self->zone, 64);
	self->told->owned = variant->kind & SHMZONE_CREATE_OWNED;
	/* Who has no caches cannot allocate there. */
	if (self->told->owned)
		self->caches = map_caches_ok(self->zone, 1);
	self->objects = self->told->owned ? 0 : OBJECTS;
}

FIXTURE_TEARDOWN(death)
{
	EXPECT_TRUE(zone_consistent(self->zone));
	if (self->caches)
		munmap(self->caches, SHMZONE_CACHE_BYTES);
	close(self->zone);
	EXPECT_TRUE(zones_become(self->control, self->zones));
	close(self->control);
	munmap(self->told, page_bytes());
}

/* Has stock and objects; false if not. */
static bool stock_up(struct told *told)
{
	struct shmzone_cache *caches = map_caches(told->zone, THREADS);
	__u64 offsets[OBJECTS];

	if (caches == MAP_FAILED ||
	    cache_fill(told->zone, caches, 0, told->class, STOCK) != STOCK ||
	    _try_alloc(told->zone, 1000, OBJECTS, offsets) != OBJECTS)
		return false;
	/* One is on offer, and goes with its owner all the same. */
	if (told->owned && _try_handover(told->zone, SHMZONE_OFFER, offsets[0], 0))
		return false;
	told->client = _try_client(told->zone);
	return told->client > 0;
}

/* It has told when it sleeps. */
static int waits(void *arg)
{
	if (stock_up(arg))
		pause();
	return 1;
}

/* Its stock is still there, and hurts nobody: the zone can be used. */
#define not_back_yet()							\
do {									\
	gives_errno(ETIMEDOUT, _try_sync(self->zone, self->told->client, 20000000)); \
	ASSERT_EQ(STOCK, stat_of(self->zone).out_cached_objects);	\
	free_at(self->zone, alloc(self->zone, 64));			\
	ASSERT_TRUE(zone_consistent(self->zone));			\
} while (0)

/* The kernel's memory for them goes a little later than what was in them. */
static bool caches_are_gone(int zone)
{
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < 1000; i++) {
		if (_try_stat(zone, &stat))
			break;
		if (!stat.out_caches)
			return true;
		usleep(10000);
	}
	return false;
}

/* What it had allocated is all that is left of it, unless it was its own. */
#define is_back()							\
do {									\
	sync_client(self->zone, self->told->client, 0);			\
	ASSERT_EQ(0, stat_of(self->zone).out_cached_objects);		\
	ASSERT_TRUE(caches_are_gone(self->zone));			\
	ASSERT_EQ(self->objects, stat_of(self->zone).out_live_objects);	\
	free_at(self->zone, alloc(self->zone, 64));			\
} while (0)

/* Until a process that is going to sleep has said all it has to say. */
#define wait_for_child(pid)						\
do {									\
	ASSERT_TRUE(falls_asleep(pid));					\
	ASSERT_LT(0, self->told->client);				\
} while (0)

TEST_F(death, killed)
{
	pid_t pid = start_child(waits, self->told);

	wait_for_child(pid);
	not_back_yet();
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(pid));
	is_back();
}

static int ends_by_itself(void *arg)
{
	return !stock_up(arg);
}

TEST_F(death, exits)
{
	ASSERT_EQ(0, in_child(ends_by_itself, self->told));
	is_back();
}

static int aborts(void *arg)
{
	stock_up(arg);
	abort();
}

TEST_F(death, dumps_core)
{
	ASSERT_EQ(-SIGABRT, in_child(aborts, self->told));
	is_back();
}

/* Held by the child of a vfork(), which shares the memory. */

static int forks_and_waits(void *arg)
{
	struct told *told = arg;

	if (!stock_up(told))
		return 1;
	if (!vfork()) {
		told->other = getpid();
		pause();
		_exit(0);
	}
	return 2;
}

TEST_F(death, before_the_child_of_its_vfork)
{
	pid_t pid = start_child(forks_and_waits, self->told);

	while (!*(volatile pid_t *)&self->told->other)
		usleep(1000);
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(pid));
	not_back_yet();
	kill(self->told->other, SIGKILL);
	is_back();
}

static int shares_memory(void *arg)
{
	pause();
	return 0;
}

/* The same by clone(), without a parent that waits. */
static int clones_and_waits(void *arg)
{
	struct told *told = arg;
	char *stack = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!stock_up(told))
		return 1;
	told->other = clone(shares_memory, stack + 64 * KIB, CLONE_VM, NULL);
	pause();
	return 2;
}

TEST_F(death, before_who_shares_its_memory)
{
	pid_t pid = start_child(clones_and_waits, self->told);

	wait_for_child(pid);
	ASSERT_LT(0, self->told->other);
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(pid));
	not_back_yet();
	kill(self->told->other, SIGKILL);
	is_back();
}

/* Held by a tracer, at the last moment before it lets go of its memory. */

static int is_traced(void *arg)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) || !stock_up(arg))
		return 1;
	raise(SIGSTOP);
	_exit(2);
}

TEST_F(death, in_the_hands_of_a_tracer)
{
	pid_t pid = start_child(is_traced, self->told);
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGTRAP | PTRACE_EVENT_EXIT << 8, status >> 8);
	not_back_yet();
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
	ASSERT_EQ(-SIGKILL, end_child(pid));
	is_back();
}

/* Held by who reads its memory, and is kept from storing what was read. */

struct reader {
	pid_t pid;
	const void *from;
	char *to;
	bool by_proc;
	int fault_fd;
	ssize_t result;
	pthread_t thread;
};

/* A page whose first touch waits until it is told to go on. */
static bool set_a_trap(struct reader *reader)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register trap = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	/* So that it can be polled. */
	reader->fault_fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	reader->to = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	trap.range.start = to_u64(reader->to);
	trap.range.len = page_bytes();
	return reader->fault_fd >= 0 && reader->to != MAP_FAILED &&
	       !ioctl(reader->fault_fd, UFFDIO_API, &api) &&
	       !ioctl(reader->fault_fd, UFFDIO_REGISTER, &trap);
}

static void release_trap(struct reader *reader)
{
	struct uffdio_zeropage zero = {
		.range = { to_u64(reader->to), page_bytes() },
	};

	ioctl(reader->fault_fd, UFFDIO_ZEROPAGE, &zero);
}

static void *reads(void *arg)
{
	struct reader *reader = arg;
	struct iovec to = { reader->to, 1 }, from = { (void *)reader->from, 1 };
	char path[64];
	int fd;

	if (!reader->by_proc) {
		reader->result = process_vm_readv(reader->pid, &to, 1, &from, 1, 0);
		return NULL;
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", reader->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	reader->result = pread(fd, reader->to, 1, to_u64(reader->from));
	close(fd);
	return NULL;
}

#define dies_while_it_is_read(how)					\
do {									\
	struct reader reader = { .from = &self->told->byte, .by_proc = how }; \
	struct pollfd poller;						\
									\
	if (!set_a_trap(&reader))					\
		SKIP(return, "no userfaultfd");				\
	reader.pid = start_child(waits, self->told);			\
	wait_for_child(reader.pid);					\
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, reads, &reader)); \
	poller = (struct pollfd){ reader.fault_fd, POLLIN };		\
	ASSERT_EQ(1, poll(&poller, 1, 60000));				\
	ASSERT_EQ(POLLIN, poller.revents);				\
	kill(reader.pid, SIGKILL);					\
	ASSERT_EQ(-SIGKILL, end_child(reader.pid));			\
	not_back_yet();							\
	release_trap(&reader);						\
	pthread_join(reader.thread, NULL);				\
	ASSERT_EQ(1, reader.result);					\
	is_back();							\
} while (0)

TEST_F(death, while_a_file_of_proc_is_read)
{
	dies_while_it_is_read(true);
}

TEST_F(death, while_its_memory_is_copied)
{
	dies_while_it_is_read(false);
}

/* Threads at work on their caches, whose process becomes another or ends. */

static void *works(void *arg)
{
	struct told *told = arg;
	unsigned int index = 1 + __atomic_fetch_add(&told->calls, 1, __ATOMIC_RELAXED) % 2;

	for (;;) {
		_try_refill(told->zone, index, told->class, 0, NULL);
		_try_drain_all(told->zone, index);
		__atomic_add_fetch(&told->calls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool has_threads_at_work(struct told *told)
{
	pthread_t thread;
	int i;

	if (!stock_up(told))
		return false;
	for (i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, works, told))
			return false;
	while (__atomic_load_n(&told->calls, __ATOMIC_RELAXED) < 100)
		usleep(1000);
	return true;
}

static int execs(void *arg)
{
	if (has_threads_at_work(arg))
		execl("/bin/sleep", "sleep", "1000", NULL);
	return 1;
}

TEST_F(death, execs_with_threads)
{
	pid_t pid = start_child(execs, self->told);

	while (!*(volatile long *)&self->told->client)
		usleep(1000);
	is_back();
	kill(pid, SIGKILL);
	ASSERT_EQ(-SIGKILL, end_child(pid));
}

static int exits_with_threads(void *arg)
{
	return !has_threads_at_work(arg);
}

TEST_F(death, exits_with_threads)
{
	ASSERT_EQ(0, in_child(exits_with_threads, self->told));
	is_back();
}

static int dies_with_threads(void *arg)
{
	if (has_threads_at_work(arg))
		kill(getpid(), SIGKILL);
	return 1;
}

TEST_F(death, killed_with_threads)
{
	ASSERT_EQ(-SIGKILL, in_child(dies_with_threads, self->told));
	is_back();
}

/* For want of memory. */

static int takes_all_memory(void *arg)
{
	struct told *told = arg;
	char *data = map_data(told->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	char *more = mmap(NULL, 4 * GROUP_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED || more == MAP_FAILED || !join_group() || !stock_up(told))
		return 1;
	memset(more, 1, 4 * GROUP_BYTES);
	return 2;
}

TEST_F(death, out_of_memory)
{
	if (!make_group(GROUP_BYTES))
		SKIP(return, "no memory cgroups");
	ASSERT_EQ(-SIGKILL, in_child(takes_all_memory, self->told));
	ASSERT_EQ(1, group_kills());
	is_back();
	end_group();
}

TEST_HARNESS_MAIN
