// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of the fuzzer's programs, beside the commands of the ABI: all that a
 * process can do to a descriptor and to a mapping without reaching for another
 * module, and processes and threads that do the rest of the program at the same
 * time. What a call returns is its errno; nothing here is a failure.
 *
 * A touch of what is not there is a signal and an outcome as any other. What a
 * program could wait for is bounded by the worker, who has the program killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../utils.h"
#include "fuzz.h"

#define MAP_BYTES_MAX	(256 * MIB)
#define SPLITS_MAX	3

static __thread sigjmp_buf after_signal;
static __thread bool guarded;

/* The rest of the program, for processes and threads that a call starts. */
static const struct program *running;
static struct outcome *outcome_of;
static __thread unsigned int position;
static int splits;
static pid_t child;

/* Descriptors from here on are those of a program. */
static int first_fd;

static long result(long ret)
{
	return ret < 0 ? -errno : 0;
}

static void on_signal(int signal)
{
	if (guarded)
		siglongjmp(after_signal, signal);
	_exit(1);
}

bool guarded_copy(void *to, const void *from, size_t bytes)
{
	bool done = false;

	guarded = true;
	if (!sigsetjmp(after_signal, 1)) {
		memcpy(to, from, bytes);
		done = true;
	}
	guarded = false;
	return done;
}

/* A part of a mapping: in whole pages, or not. */
static char *part(const struct map *map, uint16_t at, uint16_t length, size_t *bytes)
{
	uint64_t from = number_value(at, 0), n = number_value(length, map->bytes);

	if (map->bytes)
		from %= map->bytes;
	if (at < 0x8000)
		from &= ~(page_bytes() - 1);
	if (n > map->bytes - from && length < 0x8000)
		n = map->bytes - from;
	*bytes = n;
	return map->at + from;
}

static long do_mmap(const uint16_t *a)
{
	size_t bytes = number_value(a[1], 16 * MIB) % (MAP_BYTES_MAX + 1);
	int prot = number_value(a[2], PROT_READ | PROT_WRITE) & 15;
	int flags = number_value(a[3], MAP_SHARED) &
		    ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS | MAP_LOCKED);
	off_t at = number_value(a[4], 0) & ~(page_bytes() - 1);
	void *map;

	/* The first numbers mean the page map, and caches. */
	if (a[4] && a[4] < 16)
		at = SHMZONE_MMAP_PAGE_MAP + (a[4] - 1) * page_bytes();
	else if (a[4] >= 16 && a[4] < 24)
		at = SHMZONE_MMAP_CACHES + (a[4] - 16) * page_bytes();
	map = mmap(NULL, bytes, prot, flags, fd_value(a[0], false), at);
	if (map == MAP_FAILED)
		return -errno;
	state_add_map(map, bytes);
	return 0;
}

static long do_munmap(const uint16_t *a)
{
	struct map *map = map_value(a[0]);
	size_t bytes;
	char *at = part(map, a[1], a[2], &bytes);

	/* Not what lies beyond it: that is the program itself. */
	if (!map->bytes || bytes > map->bytes - (at - map->at))
		return -EINVAL;
	return result(munmap(at, bytes));
}

static long do_mprotect(const uint16_t *a)
{
	struct map *map = map_value(a[0]);
	size_t bytes;
	char *at = part(map, a[1], a[2], &bytes);

	if (!map->bytes || bytes > map->bytes - (at - map->at))
		return -EINVAL;
	return result(mprotect(at, bytes, number_value(a[3], PROT_READ) & 0x0100000f));
}

static long do_mremap(const uint16_t *a)
{
	struct map *map = map_value(a[0]);
	size_t bytes;
	char *at = part(map, a[1], a[2], &bytes);
	void *moved;

	if (!map->bytes || bytes > map->bytes - (at - map->at))
		return -EINVAL;
	moved = mremap(at, bytes, number_value(a[3], bytes / 2) % (MAP_BYTES_MAX + 1),
		       (number_value(a[4], MREMAP_MAYMOVE)) & ~MREMAP_FIXED);
	return moved == MAP_FAILED ? -errno : 0;
}

static long do_madvise(const uint16_t *a)
{
	size_t bytes;
	char *at = part(map_value(a[0]), a[1], a[2], &bytes);
	int advice = number_value(a[3], MADV_DONTNEED);

	/* Broken memory is the whole machine's. */
	if (advice == 100 || advice == 101 || bytes > MAP_BYTES_MAX)
		return -EINVAL;
	if (!map_value(a[0])->bytes)
		return -EINVAL;
	return result(madvise(at, bytes, advice));
}

static long do_memory(const uint16_t *a)
{
	struct map *map = map_value(a[0]);
	unsigned char residence[1024];
	size_t bytes;
	char *at = part(map, a[1], a[2], &bytes);

	if (!map->bytes)
		return -EINVAL;
	switch (a[3] % 6) {
	case 0:
		return result(msync(at, bytes, number_value(a[4], MS_SYNC)));
	case 1:
		return result(mlock(at, bytes % MIB));
	case 2:
		return result(munlock(at, bytes));
	case 3:
		return result(mincore(at, bytes % (1024 * page_bytes()), residence));
	case 4:
		return result(syscall(SYS_remap_file_pages, at, bytes, 0,
				      number_value(a[4], 1), 0));
	default:
		return result(syscall(SYS_mbind, at, bytes, a[4] % 5, NULL, 0, a[4] / 5 % 8));
	}
}

static long do_touch(const uint16_t *a)
{
	const struct map *map = map_value(a[0]);
	uint64_t at = a[1] ? number_value(a[1], 0) : object_value(a[2]);
	uint64_t bytes = number_value(a[3], 8) % 8192;
	char copy[8192];

	if (!map->bytes)
		return -EINVAL;
	at %= map->bytes;
	if (bytes > map->bytes - at)
		bytes = map->bytes - at;
	memset(copy, a[4], sizeof(copy));
	if (a[4] & 1)
		return guarded_copy(copy, map->at + at, bytes) ? 0 : -EFAULT;
	return guarded_copy(map->at + at, copy, bytes) ? 0 : -EFAULT;
}

static long do_remote(const uint16_t *a)
{
	size_t bytes;
	char buffer[4096];
	struct iovec local = { buffer, sizeof(buffer) }, there;

	there.iov_base = part(map_value(a[0]), a[1], 0, &bytes);
	there.iov_len = number_value(a[2], 64) % 65536;
	if (a[3] & 1)
		return result(process_vm_readv(getpid(), &local, 1, &there, 1, 0));
	return result(process_vm_writev(getpid(), &local, 1, &there, 1, 0));
}

static long do_raw(const uint16_t *a)
{
	unsigned int cmd = a[1] ? number_value(a[1], 0) : _IO(SHMZONE_IOC_MAGIC, a[2] & 0xff);
	void *structure = structure_value(a[3]);
	uint64_t words[64];
	unsigned int i;

	/* FIFREEZE and the like would reach the kernel's own file systems. */
	if (_IOC_TYPE(cmd) != SHMZONE_IOC_MAGIC)
		return -EINVAL;
	for (i = 0; i < 64; i++)
		words[i] = number_value(a[4 + i % 8], 0);
	guarded_copy(structure, words, sizeof(words));
	return result(ioctl(fd_value(a[0], a[2] & 0x100), cmd, structure));
}

static long do_dup(const uint16_t *a)
{
	int fd = fcntl(fd_value(a[0], a[1] & 1), F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	state_add_fd(fd);
	return 0;
}

/* Not the control descriptor, nor the worker's zone, nor the output. */
static long do_close(const uint16_t *a)
{
	int fd = fd_value(a[0], false);

	if (fd < first_fd)
		return -EBADF;
	return result(close(fd));
}

/* A descriptor by way of the kernel: as a file of /proc, or from a process. */
static long do_pass(const uint16_t *a)
{
	int fd = fd_value(a[0], a[2] & 1), got, pid;
	char path[64];

	if (a[1] & 1) {
		pid = syscall(SYS_pidfd_open, child > 0 && a[1] & 2 ? child : getpid(), 0);
		got = syscall(SYS_pidfd_getfd, pid, fd, 0);
		close(pid);
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		got = open(path, O_RDWR | O_CLOEXEC);
	}
	if (got < 0)
		return -errno;
	state_add_fd(got);
	return 0;
}

static long do_poll(const uint16_t *a)
{
	struct pollfd poll_fd = { .fd = fd_value(a[0], false),
				  .events = number_value(a[1], POLLOUT) };

	return result(poll(&poll_fd, 1, a[2] % 4));
}

static long do_epoll(const uint16_t *a)
{
	struct epoll_event event = { .events = number_value(a[1], EPOLLOUT) };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int ret = epoll_ctl(epoll, EPOLL_CTL_ADD, fd_value(a[0], false), &event);

	if (ret)
		ret = -errno;
	else
		epoll_wait(epoll, &event, 1, a[2] % 4);
	/* Kept at times: a set holds no reference, and must notice the end. */
	if (!(a[3] & 1))
		close(epoll);
	return ret;
}

static long do_file(const uint16_t *a)
{
	int fd = fd_value(a[0], a[4] & 1);
	uint64_t number = number_value(a[2], 0);
	struct stat stat;
	char byte = 0;

	switch (a[1] % 12) {
	case 0:
		return result(lseek(fd, number, a[3] % 6));
	case 1:
		return result(read(fd, structure_value(a[2]), 64));
	case 2:
		return result(write(fd, structure_value(a[2]), 64));
	case 3:
		return result(pread(fd, &byte, 1, number));
	case 4:
		return result(ftruncate(fd, number));
	case 5:
		return result(fallocate(fd, a[3] % 128, number, page_bytes()));
	case 6:
		return result(fstat(fd, &stat));
	case 7:
		return result(fcntl(fd, F_SETFL, number));
	case 8:
		return result(fsync(fd));
	case 9:
		return result(sendfile(fd, fd_value(a[3], true), NULL, 64));
	case 10:
		return result(flock(fd, LOCK_SH | LOCK_NB));
	default:
		return result(fcntl(fd, F_ADD_SEALS, number));
	}
}

static void run_rest(void);

/* Two go on with the rest of the program, of which one ends where it ends. */
static long do_fork(const uint16_t *a)
{
	if (__atomic_add_fetch(&splits, 1, __ATOMIC_RELAXED) > SPLITS_MAX)
		return -EAGAIN;
	child = fork();
	if (child < 0)
		return -errno;
	if (!child && a[0] & 1)
		_exit(0);
	return 0;
}

static void *thread(void *arg)
{
	position = (uintptr_t)arg;
	run_rest();
	return NULL;
}

static long do_thread(const uint16_t *a)
{
	pthread_t id;
	int ret;

	if (__atomic_add_fetch(&splits, 1, __ATOMIC_RELAXED) > SPLITS_MAX)
		return -EAGAIN;
	ret = pthread_create(&id, NULL, thread, (void *)(uintptr_t)(position + 1));
	if (!ret)
		pthread_detach(id);
	return -ret;
}

static long do_kill(const uint16_t *a)
{
	if (a[0] % 8 == 7)
		kill(getpid(), SIGKILL);
	if (child <= 0)
		return -ESRCH;
	return result(kill(child, SIGKILL));
}

static long do_become(const uint16_t *a)
{
	switch (a[0] % 4) {
	case 0:
		return result(setresuid(-1, 20001, -1));
	case 1:
		return result(setresuid(-1, 0, -1));
	case 2:
		return result(unshare(CLONE_NEWIPC));
	default:
		return result(unshare(CLONE_FILES));
	}
}

static long do_yield(const uint16_t *a)
{
	usleep(a[0] % 300);
	return 0;
}

static const struct {
	const char *name;
	long (*run)(const uint16_t *args);
	uint8_t args, weight;
	bool splits;
} others[] = {
	{ "mmap", do_mmap, 5, 8 },
	{ "munmap", do_munmap, 3, 3 },
	{ "mprotect", do_mprotect, 4, 3 },
	{ "mremap", do_mremap, 5, 2 },
	{ "madvise", do_madvise, 4, 4 },
	{ "memory", do_memory, 5, 2 },
	{ "touch", do_touch, 5, 8 },
	{ "remote", do_remote, 4, 1 },
	{ "raw", do_raw, 12, 2 },
	{ "dup", do_dup, 2, 1 },
	{ "close", do_close, 1, 3 },
	{ "pass", do_pass, 3, 1 },
	{ "poll", do_poll, 3, 2 },
	{ "epoll", do_epoll, 4, 2 },
	{ "file", do_file, 5, 2 },
	{ "fork", do_fork, 1, 1, true },
	{ "thread", do_thread, 0, 1, true },
	{ "kill", do_kill, 1, 1, true },
	{ "become", do_become, 1, 1, true },
	{ "yield", do_yield, 1, 1 },
};

unsigned int call_kinds(void)
{
	return command_count() + sizeof(others) / sizeof(others[0]);
}

const char *call_name(unsigned int op)
{
	if (op < command_count())
		return command_name(op);
	return others[op - command_count()].name;
}

int call_number(const char *name)
{
	unsigned int op;

	for (op = 0; op < call_kinds(); op++)
		if (!strcmp(call_name(op), name))
			return op;
	return -1;
}

unsigned int call_args(unsigned int op)
{
	if (op < command_count())
		return command_args(op);
	return others[op - command_count()].args;
}

/* Of the commands, those that change most come most often. */
unsigned int call_weight(unsigned int op)
{
	if (op >= command_count())
		return others[op - command_count()].weight;
	if (!strcmp(command_name(op), "alloc") || !strcmp(command_name(op), "free"))
		return 12;
	return strcmp(command_name(op), "create") ? 3 : 8;
}

static void run_rest(void)
{
	for (; position < running->count; position++) {
		const struct call *call = &running->calls[position];
		long ret;

		if (call->op < command_count())
			ret = command_run(call->op, call->args);
		else
			ret = others[call->op - command_count()].run(call->args);
		outcome_of->errors[position] = -ret;
		outcome_of->done = position + 1;
	}
}

bool call_splits(unsigned int op)
{
	return op >= command_count() && others[op - command_count()].splits;
}

bool program_prepare(int control, int zone)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	first_fd = dup(control);
	return first_fd >= 0 && state_init(control, zone);
}

void program_run(const struct program *program, struct outcome *outcome)
{
	memset(outcome, 0, sizeof(*outcome));
	state_reset();
	close_range(first_fd, ~0U, 0);
	running = program;
	outcome_of = outcome;
	position = 0;
	run_rest();
}
