// SPDX-License-Identifier: GPL-2.0
/*
 * The stand-in for the device: descriptors, zones, objects. See device.h.
 *
 * A descriptor is that of the memfd that the zone's data is in. The table of
 * descriptors is read without a lock: whoever closes one while it is in use has
 * the same trouble with the kernel.
 */
#include "device.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_MAX	4096
#define NULL_COMMAND	0x5301	/* /dev/null knows none */
#define COMMAND_MAX	512

/* What the library wants, see userlib/src/lib.h. */
int lib_ioctl(int fd, unsigned long cmd, void *arg);
int lib_control(unsigned long cmd, void *arg);
int lib_map(int fd, void **area, size_t bytes, int prot, u64 at);
void lib_unmap(void *area, size_t bytes);
int lib_cover(void *area, size_t bytes);
void lib_close(int fd);

#ifdef HOST_FAST
volatile bool need_resched;
#endif

static struct zone *files[FILES_MAX];
static u64 last_id;
static u32 charge = 1;
static int null_fd = -1;

__attribute__((constructor)) static void device_begin(void)
{
	const char *text = getenv("SHMZONE_HOST_CHARGE");

	if (text)
		charge = strtoul(text, NULL, 0);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* Processes. */

struct process {
	u64 number;
};

static struct process *process;
static u64 processes;

void *device_area(void *at, size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *area = mmap(at, bytes, PROT_READ | PROT_WRITE,
			  flags | (at ? MAP_FIXED : 0), -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	madvise(area, bytes, MADV_WIPEONFORK);
	return area;
}

static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;

u64 device_process(void)
{
	if (process && process->number)
		return process->number;
	pthread_mutex_lock(&process_lock);
	if (!process)
		process = device_area(NULL, PAGE_SIZE);
	if (!process->number)
		process->number = ++processes;
	pthread_mutex_unlock(&process_lock);
	return process->number;
}

/* What a call into a kernel is for those who call. */

#ifdef HOST_FAST

#define enter(mask)	((void)(mask))
#define leave(mask)	((void)(mask))
#define count_call()	((void)0)

#else

static pthread_rwlock_t inside = PTHREAD_RWLOCK_INITIALIZER;
static atomic64_t calls;

static void enter(sigset_t *mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, mask);
	pthread_rwlock_rdlock(&inside);
}

static void leave(const sigset_t *mask)
{
	pthread_rwlock_unlock(&inside);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static void count_call(void)
{
	atomic64_add(1, &calls);
}

u64 device_calls(void)
{
	return atomic64_read(&calls);
}

int device_fork(bool bare)
{
	sigset_t mask, all;
	int pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pthread_rwlock_wrlock(&inside);
	pid = bare ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
	/* Those who waited for it are not there in the child. */
	if (!pid)
		inside = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	else
		pthread_rwlock_unlock(&inside);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return pid;
}

#endif

/* Zones. */

static int prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	(void)keeper;
	(void)first;
	(void)n;
	(void)marked;
	return 0;
}

static void mark(void *keeper, u64 first, u64 n, u32 mark)
{
	struct zone *zone = keeper;
	u32 entry = HEAP_MARK_CLASS(mark) | HEAP_MARK_GROUP(mark) << 6 |
		    HEAP_MARK_KIND(mark) << 10;

	for (; n; n--, first++)
		WRITE_ONCE(zone->map[first], entry);
}

static const struct heap_ops ops = { .prepare = prepare, .mark = mark };

static int sparse_file(u64 bytes)
{
	int fd = memfd_create("zone", MFD_CLOEXEC);

	if (fd >= 0 && !ftruncate(fd, bytes))
		return fd;
	close(fd);
	return -1;
}

static int zone_make(struct zone *zone, u64 bytes, u64 limit)
{
	u64 map_bytes = (bytes >> PAGE_SHIFT) * sizeof(u32);
	int fd = sparse_file(bytes);

	zone->bytes = bytes;
	zone->refs = 1;
	zone->id = ++last_id;
	zone->map_fd = sparse_file(map_bytes);
	if (fd < 0 || fd >= FILES_MAX || zone->map_fd < 0)
		return -EMFILE;
	zone->map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_NORESERVE, zone->map_fd, 0);
	zone->heap = heap_create(bytes >> PAGE_SHIFT, (limit ?: bytes) >> PAGE_SHIFT,
				 &ops, zone);
	files[fd] = zone;
	return zone->map != MAP_FAILED && zone->heap ? fd : -ENOMEM;
}

static struct zone *zone_get(int fd)
{
	struct zone *zone = (u32)fd < FILES_MAX ? READ_ONCE(files[fd]) : NULL;

	if (zone)
		zone->refs++;
	return zone;
}

void device_put(struct zone *zone)
{
	if (--zone->refs)
		return;
	heap_destroy(zone->heap);
	munmap(zone->map, (zone->bytes >> PAGE_SHIFT) * sizeof(u32));
	close(zone->map_fd);
	free(zone);
}

struct heap *device_heap(int fd)
{
	return files[fd]->heap;
}

/* Objects. */

static int do_alloc(struct zone *zone, void *cmd)
{
	struct shmzone_alloc *alloc = cmd;
	struct heap_request request = {
		.bytes = alloc->bytes,
		.align = alloc->align,
		.group = alloc->group,
	};
	u64 *to = (u64 *)(uintptr_t)alloc->offsets, offsets[HEAP_BATCH_MAX];
	int got;

	for (alloc->out_count = 0; alloc->out_count < alloc->count;) {
		u32 n = min_t(u32, alloc->count - alloc->out_count, HEAP_BATCH_MAX);

		got = heap_alloc(zone->heap, &request, offsets, n);
		if (got < 0)
			return alloc->out_count ? 0 : got;
		memcpy(to + alloc->out_count, offsets, got * sizeof(u64));
		alloc->out_count += got;
	}
	return 0;
}

static int do_free(struct zone *zone, void *cmd)
{
	struct shmzone_free *args = cmd;
	const u64 *from = (const u64 *)(uintptr_t)args->offsets;
	u64 offsets[HEAP_BATCH_MAX];
	u32 done, n, bad;

	args->out_count = 0;
	for (done = 0; done < args->count; done += n) {
		n = min_t(u32, args->count - done, HEAP_BATCH_MAX);
		memcpy(offsets, from + done, n * sizeof(u64));
		args->out_count += heap_free(zone->heap, offsets, n, args->bytes, &bad);
	}
	return args->out_count ? 0 : -EINVAL;
}

static int do_query(struct zone *zone, void *cmd)
{
	struct shmzone_query *query = cmd;
	struct heap_object object;
	int ret = heap_find(zone->heap, query->offset, &object);

	if (ret)
		return ret;
	query->out_bytes = object.bytes;
	query->out_class = object.class;
	query->out_group = object.group;
	return 0;
}

static int do_stat(struct zone *zone, void *cmd)
{
	struct shmzone_stat *stat = cmd;
	struct heap_stat heap;

	heap_get_stat(zone->heap, &heap);
	stat->out_id = zone->id;
	stat->out_zone_bytes = zone->bytes;
	stat->out_limit_bytes = heap.limit_pages << PAGE_SHIFT;
	stat->out_taken_bytes = heap.taken_pages << PAGE_SHIFT;
	stat->out_live_bytes = heap.live_bytes;
	stat->out_live_objects = heap.live_objects;
	stat->out_slabs = heap.slabs;
	stat->out_spans = heap.spans;
	stat->out_kernel_bytes = heap.kernel_bytes;
	stat->out_requests = heap.requests;
	stat->out_failures = heap.failures;
	stat->out_frees = heap.frees;
	stat->out_bad_outside = heap.refused[HEAP_BAD_OUTSIDE];
	stat->out_bad_misaligned = heap.refused[HEAP_BAD_MISALIGNED];
	stat->out_bad_interior = heap.refused[HEAP_BAD_INTERIOR];
	stat->out_bad_not_live = heap.refused[HEAP_BAD_NOT_LIVE];
	stat->out_bad_bytes = heap.refused[HEAP_BAD_BYTES];
	clients_stock(zone, stat);
	return 0;
}

static int do_info(struct zone *zone, void *cmd)
{
	struct shmzone_info *info = cmd;
	struct shmzone_class *to = (struct shmzone_class *)(uintptr_t)info->classes;
	u32 i;

	(void)zone;
	for (i = 0; to && i < min_t(u32, info->class_count, CLASS_COUNT); i++)
		to[i] = (struct shmzone_class) {
			.slot_bytes = class_table[i].slot_bytes,
			.slab_pages = class_table[i].slab_pages,
			.slab_slots = class_table[i].slots,
		};
	info->out_abi_version = SHMZONE_ABI_VERSION;
	info->out_page_bytes = PAGE_SIZE;
	info->out_class_count = CLASS_COUNT;
	info->out_group_count = CLASS_GROUPS;
	info->out_batch_max = SHMZONE_BATCH_MAX;
	return 0;
}

static const struct {
	u32 command;
	int (*execute)(struct zone *zone, void *cmd);
} commands[] = {
	{ SHMZONE_CACHE_REFILL, client_refill },
	{ SHMZONE_CACHE_DRAIN, client_drain },
	{ SHMZONE_ALLOC, do_alloc },
	{ SHMZONE_FREE, do_free },
	{ SHMZONE_QUERY, do_query },
	{ SHMZONE_STAT, do_stat },
	{ SHMZONE_INFO, do_info },
	{ SHMZONE_CACHE_CLIENT, client_number },
	{ SHMZONE_CACHE_RECLAIM, client_reclaim },
};

static int dispatch(struct zone *zone, unsigned long command, void *arg)
{
	char cmd[COMMAND_MAX];
	u32 size = *(u32 *)arg, i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].command == command)
			break;
	if (i == ARRAY_SIZE(commands))
		return -ENOTTY;
	memcpy(cmd, arg, min_t(u32, size, COMMAND_MAX));
	ret = commands[i].execute(zone, cmd);
	if (!ret)
		memcpy(arg, cmd, min_t(u32, size, COMMAND_MAX));
	return ret;
}

int lib_ioctl(int fd, unsigned long command, void *arg)
{
	int saved = errno, ret = -EBADF;
	struct zone *zone;
	sigset_t mask;
	u32 i;

	enter(&mask);
	count_call();
	for (i = 0; i < charge; i++)
		ioctl(null_fd, NULL_COMMAND, 0);
	zone = zone_get(fd);
	if (zone) {
		ret = dispatch(zone, command, arg);
		device_put(zone);
	}
	leave(&mask);
	errno = saved;
	return ret;
}

int lib_control(unsigned long command, void *arg)
{
	const struct shmzone_create *create = arg;
	struct zone *zone;
	sigset_t mask;
	int ret;

	if (command == SHMZONE_INFO)
		return do_info(NULL, arg);
	if (command != SHMZONE_CREATE)
		return -ENOTTY;
	enter(&mask);
	zone = calloc(1, sizeof(*zone));
	ret = zone ? zone_make(zone, create->zone_bytes, create->limit_bytes) : -ENOMEM;
	leave(&mask);
	return ret;
}

/* Memory. */

static int map_file(int fd, void **area, size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*area = p;
	return 0;
}

int lib_map(int fd, void **area, size_t bytes, int prot, u64 at)
{
	struct zone *zone = zone_get(fd);
	int saved = errno, ret;
	sigset_t mask;

	if (!zone)
		return -EBADF;
	enter(&mask);
	if (at == SHMZONE_MMAP_CACHES)
		ret = client_map(zone, area, bytes);
	else
		ret = map_file(at ? zone->map_fd : fd, area, bytes, prot);
	leave(&mask);
	device_put(zone);
	errno = saved;
	return ret;
}

void lib_unmap(void *area, size_t bytes)
{
	munmap(area, bytes);
}

int lib_cover(void *area, size_t bytes)
{
	sigset_t mask;
	int ret;

	enter(&mask);
	device_forget_area(area);
	ret = device_area(area, bytes) ? 0 : -ENOMEM;
	leave(&mask);
	return ret;
}

void lib_close(int fd)
{
	struct zone *zone = files[fd];
	sigset_t mask;

	enter(&mask);
	files[fd] = NULL;
	close(fd);
	device_put(zone);
	leave(&mask);
}
