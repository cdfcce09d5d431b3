// SPDX-License-Identifier: GPL-2.0
/*
 * What the kselftest programs share: the raw ABI in small portions.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "utils.h"

size_t page_bytes(void)
{
	return sysconf(_SC_PAGESIZE);
}

const char *fresh_name(void)
{
	static char names[64][32];
	static unsigned int used;
	char *name = names[used % 64];

	snprintf(name, sizeof(names[0]), "selftest-%d-%u", getpid(), used++);
	return name;
}

int _try_control(void)
{
	int fd = open("/dev/shmzone", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void (*before_call)(int fd, unsigned long cmd);

int _try_call(int fd, unsigned long cmd, const void *arg)
{
	int ret;

	if (before_call)
		before_call(fd, cmd);
	ret = ioctl(fd, cmd, arg);
	return ret < 0 ? -errno : ret;
}

bool is_command(unsigned int nr)
{
	switch (nr) {
	case SHMZONE_CMD_INFO:
	case SHMZONE_CMD_CREATE:
	case SHMZONE_CMD_OPEN:
	case SHMZONE_CMD_UNLINK:
	case SHMZONE_CMD_ALLOC:
	case SHMZONE_CMD_FREE:
	case SHMZONE_CMD_QUERY:
	case SHMZONE_CMD_STAT:
	case SHMZONE_CMD_CLASS_STAT:
	case SHMZONE_CMD_CACHE_REFILL:
	case SHMZONE_CMD_CACHE_DRAIN:
	case SHMZONE_CMD_CACHE_RECLAIM:
	case SHMZONE_CMD_CACHE_CLIENT:
	case SHMZONE_CMD_CACHE_SYNC:
	case SHMZONE_CMD_GIVE:
	case SHMZONE_CMD_OFFER:
	case SHMZONE_CMD_TAKE:
	case SHMZONE_CMD_WALK:
	case SHMZONE_CMD_LINK:
	case SHMZONE_CMD_ROOT_GET:
	case SHMZONE_CMD_ROOT_SET:
	case SHMZONE_CMD_ROOT_LIST:
	case SHMZONE_CMD_LIST:
	case SHMZONE_CMD_PERMIT:
	case SHMZONE_CMD_REOPEN:
	case SHMZONE_CMD_SET_LIMIT:
	case SHMZONE_CMD_ADD_SEALS:
	case SHMZONE_CMD_GET_SEALS:
		return true;
	default:
		return false;
	}
}

int _try_create(int control, __u64 bytes)
{
	return _try_create_limited(control, bytes, 0);
}

int _try_create_limited(int control, __u64 bytes, __u64 limit)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = bytes,
		.limit_bytes = limit,
	};

	return _try_call(control, SHMZONE_CREATE, &args);
}

int _try_create_kind(int control, __u32 kind, __u64 bytes, __u64 limit)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = kind,
		.zone_bytes = bytes,
		.limit_bytes = limit,
	};

	return _try_call(control, SHMZONE_CREATE, &args);
}

int _try_create_named(int control, const char *name, __u32 mode)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = MIB,
		NAMED(name),
		.mode = mode,
	};

	return _try_call(control, SHMZONE_CREATE, &args);
}

int _try_open_zone(int control, const char *name, __u32 flags)
{
	struct shmzone_open args = {
		SIZED(shmzone_open),
		.flags = flags,
		NAMED(name),
	};

	return _try_call(control, SHMZONE_OPEN, &args);
}

int _try_unlink_zone(int control, const char *name)
{
	struct shmzone_unlink args = { SIZED(shmzone_unlink), NAMED(name) };

	return _try_call(control, SHMZONE_UNLINK, &args);
}

int _try_create_persistent(int control, const char *name, __u32 mode)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_PERSIST,
		.zone_bytes = MIB,
		NAMED(name),
		.mode = mode,
	};

	return _try_call(control, SHMZONE_CREATE, &args);
}

int _try_permit(int control, const char *name, __u32 which, __u32 mode, __u32 uid,
		__u32 gid)
{
	struct shmzone_permit args = {
		SIZED(shmzone_permit),
		.flags = which,
		NAMED(name),
		.mode = mode,
		.uid = uid,
		.gid = gid,
	};

	return _try_call(control, SHMZONE_PERMIT, &args);
}

int _try_chmod_name(int control, const char *name, __u32 mode)
{
	return _try_permit(control, name, SHMZONE_PERMIT_MODE, mode, 0, 0);
}

int _try_list(int control, __u64 *cursor, __u32 count, struct shmzone_entry *entries)
{
	struct shmzone_list args = {
		SIZED(shmzone_list),
		.entries = to_u64(entries),
		.count = count,
		.entry_size = sizeof(*entries),
		.cursor = *cursor,
	};
	int ret = _try_call(control, SHMZONE_LIST, &args);

	if (ret)
		return ret;
	*cursor = args.out_cursor;
	return args.out_count;
}

int _try_reopen(int zone, __u32 flags)
{
	struct shmzone_reopen args = { SIZED(shmzone_reopen), .flags = flags };

	return _try_call(zone, SHMZONE_REOPEN, &args);
}

int _try_set_limit(int zone, __u64 bytes)
{
	struct shmzone_set_limit args = {
		SIZED(shmzone_set_limit),
		.limit_bytes = bytes,
	};

	return _try_call(zone, SHMZONE_SET_LIMIT, &args);
}

int _try_add_seals(int zone, __u32 seals)
{
	struct shmzone_add_seals args = { SIZED(shmzone_add_seals), .seals = seals };

	return _try_call(zone, SHMZONE_ADD_SEALS, &args);
}

int _try_get_seals(int zone)
{
	struct shmzone_get_seals args = { SIZED(shmzone_get_seals) };
	int ret = _try_call(zone, SHMZONE_GET_SEALS, &args);

	return ret ? ret : (int)args.out_seals;
}

int _try_info(int fd, struct shmzone_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return _try_call(fd, SHMZONE_INFO, info);
}

int _try_alloc_in(int zone, __u32 group, __u64 bytes, __u32 count, __u64 *offsets)
{
	struct shmzone_alloc args = {
		SIZED(shmzone_alloc),
		.bytes = bytes,
		.offsets = to_u64(offsets),
		.count = count,
		.group = group,
	};
	int ret = _try_call(zone, SHMZONE_ALLOC, &args);

	return ret < 0 ? ret : (int)args.out_count;
}

int _try_alloc(int zone, __u64 bytes, __u32 count, __u64 *offsets)
{
	return _try_alloc_in(zone, 0, bytes, count, offsets);
}

int _try_alloc_wait(int zone, __u64 bytes, __u32 count, __u64 timeout_ns,
		    __u64 *offsets)
{
	struct shmzone_alloc args = {
		SIZED(shmzone_alloc),
		.flags = SHMZONE_ALLOC_WAIT,
		.bytes = bytes,
		.offsets = to_u64(offsets),
		.count = count,
		.timeout_ns = timeout_ns,
	};
	int ret = _try_call(zone, SHMZONE_ALLOC, &args);

	return ret < 0 ? ret : (int)args.out_count;
}

static int try_free(int zone, const __u64 *offsets, __u32 count, __u64 bytes)
{
	struct shmzone_free args = {
		SIZED(shmzone_free),
		.offsets = to_u64(offsets),
		.count = count,
		.bytes = bytes,
	};
	int ret = _try_call(zone, SHMZONE_FREE, &args);

	return ret < 0 ? ret : (int)args.out_count;
}

int _try_free_at(int zone, __u64 offset)
{
	return try_free(zone, &offset, 1, 0);
}

int _try_free_sized(int zone, __u64 offset, __u64 bytes)
{
	return try_free(zone, &offset, 1, bytes);
}

int _try_free_all(int zone, const __u64 *offsets, __u32 count)
{
	return try_free(zone, offsets, count, 0);
}

int _try_query(int zone, __u64 offset, struct shmzone_query *query)
{
	memset(query, 0, sizeof(*query));
	query->size = sizeof(*query);
	query->offset = offset;
	return _try_call(zone, SHMZONE_QUERY, query);
}

int _try_stat(int zone, struct shmzone_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->size = sizeof(*stat);
	return _try_call(zone, SHMZONE_STAT, stat);
}

int _try_class_stat(int zone, __u32 class, __u32 group,
		    struct shmzone_class_figures *figures)
{
	struct shmzone_class_stat args = {
		SIZED(shmzone_class_stat),
		.figures = to_u64(figures),
		.first_class = class,
		.count = 1,
		.group = group,
		.figures_size = sizeof(*figures),
	};

	return _try_call(zone, SHMZONE_CLASS_STAT, &args);
}

void *map_data(int zone, __u64 bytes, int prot)
{
	return mmap(NULL, bytes, prot, MAP_SHARED, zone, 0);
}

void *map_pages(int zone, __u64 zone_bytes, int prot)
{
	size_t bytes = zone_bytes / page_bytes() * sizeof(__u32);

	return mmap(NULL, bytes, prot, MAP_SHARED, zone, SHMZONE_MMAP_PAGE_MAP);
}

int _try_figures(int control, int zone, struct figures *figures)
{
	int ret = _try_info(control, &figures->info);

	return ret ? ret : _try_stat(zone, &figures->stat);
}

/* The figures are __u64 after the two leading __u32. */
static bool same_words(const char *what, const void *a, const void *b, size_t bytes,
		       size_t except)
{
	bool same = true;
	size_t at;

	for (at = 8; at < bytes; at += 8) {
		__u64 x, y;

		memcpy(&x, (const char *)a + at, 8);
		memcpy(&y, (const char *)b + at, 8);
		if (x != y && at != except) {
			fprintf(stderr, "# %s: at byte %zu %llu became %llu\n",
				what, at, x, y);
			same = false;
		}
	}
	return same;
}

bool same_figures(const struct figures *a, const struct figures *b)
{
	bool same = same_words("INFO", &a->info, &b->info, sizeof(a->info),
			       offsetof(struct shmzone_info, out_refused_calls));

	return same_words("STAT", &a->stat, &b->stat, sizeof(a->stat),
			  offsetof(struct shmzone_stat, out_refused_calls)) && same;
}

bool kernel_debugs(void)
{
	return !access("/proc/self/fail-nth", F_OK) ||
	       !access("/sys/kernel/debug/kcsan", F_OK);
}

bool zone_consistent(int zone)
{
	struct shmzone_check check = { SIZED(shmzone_check) };
	int ret = _try_call(zone, SHMZONE_CHECK, &check);

	if (ret == -ENOTTY && !kernel_debugs())
		return true;
	if (!ret && !check.out_text[0])
		return true;
	fprintf(stderr, "# CHECK: %s\n", ret ? strerror(-ret) : check.out_text);
	return false;
}

bool slabs_become(int zone, __u64 slabs)
{
	struct shmzone_stat stat;
	int i;

	for (i = 0; i < 1000; i++) {
		if (_try_stat(zone, &stat))
			return false;
		/* The pages of the last one go a moment after it. */
		if (stat.out_slabs == slabs &&
		    (slabs || stat.out_spans || !stat.out_taken_bytes))
			return true;
		usleep(20000);
	}
	return false;
}

bool zones_become(int control, __u64 zones)
{
	struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	struct shmzone_info info = {};
	int i;

	for (i = 0; i < 1000; i++) {
		if (_try_info(control, &info))
			return false;
		if (info.out_zones == zones)
			return true;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "# %llu zones, not %llu\n", info.out_zones, zones);
	return false;
}

static sigjmp_buf after_touch;

static void on_touch_signal(int signal)
{
	siglongjmp(after_touch, signal);
}

static int touch(volatile char *address, bool write)
{
	struct sigaction action = { .sa_handler = on_touch_signal };
	struct sigaction old_bus, old_segv;
	int signal;

	sigaction(SIGBUS, &action, &old_bus);
	sigaction(SIGSEGV, &action, &old_segv);
	signal = sigsetjmp(after_touch, 1);
	if (!signal) {
		char byte = *address;

		if (write)
			*address = byte;
	}
	sigaction(SIGBUS, &old_bus, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);
	return signal;
}

int touch_read(const volatile void *address)
{
	return touch((volatile char *)address, false);
}

int touch_write(volatile void *address)
{
	return touch(address, true);
}

pid_t start_child(int (*function)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid == 0)
		_exit(function(arg));
	return pid;
}

int end_child(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int in_child(int (*function)(void *arg), void *arg)
{
	return end_child(start_child(function, arg));
}

static unsigned char pattern_byte(__u64 seed, size_t at)
{
	return (seed * 0x9e3779b97f4a7c15ULL >> 56) + at * 7;
}

void fill_pattern(void *memory, size_t bytes, __u64 seed)
{
	unsigned char *byte = memory;
	size_t at;

	for (at = 0; at < bytes; at++)
		byte[at] = pattern_byte(seed, at);
}

bool has_pattern(const void *memory, size_t bytes, __u64 seed)
{
	const unsigned char *byte = memory;
	size_t at;

	for (at = 0; at < bytes; at++)
		if (byte[at] != pattern_byte(seed, at))
			return false;
	return true;
}

bool all_bytes(const void *memory, size_t bytes, unsigned char value)
{
	const unsigned char *byte = memory;
	size_t at;

	for (at = 0; at < bytes; at++)
		if (byte[at] != value)
			return false;
	return true;
}

void *page_before_hole(void)
{
	size_t page = page_bytes();
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || munmap(map + page, page))
		abort();
	return map + page;
}

bool falls_asleep(pid_t task)
{
	char path[64], text[256], *state;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", task);
	for (i = 0; i < 30000; i++) {
		FILE *file = fopen(path, "r");

		if (!file)
			return false;
		state = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
		fclose(file);
		if (state && state[2] == 'S')
			return true;
		usleep(1000);
	}
	return false;
}

static void *wait_in_thread(void *arg)
{
	struct waiter_thread *waiter = arg;

	__atomic_store_n(&waiter->tid, gettid(), __ATOMIC_SEQ_CST);
	waiter->ret = _try_alloc_wait(waiter->zone, waiter->bytes, 1, 0, &waiter->offset);
	return NULL;
}

bool start_waiter_thread(struct waiter_thread *waiter)
{
	if (pthread_create(&waiter->id, NULL, wait_in_thread, waiter))
		return false;
	while (!__atomic_load_n(&waiter->tid, __ATOMIC_SEQ_CST))
		usleep(100);
	return falls_asleep(waiter->tid);
}
