/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fail_nth.c makes fail, what it does before, and how it undoes it: each
 * step works on a scene, and returns what it got, or -errno.
 */
#ifndef SHMZONE_SELFTESTS_FAIL_NTH_STEPS_H
#define SHMZONE_SELFTESTS_FAIL_NTH_STEPS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caches.h"
#include "utils.h"

#define ZONE_BYTES	GIB
#define ZONE_NAME	"selftest-fail-nth"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

struct scene {
	int control;
	int zone;
	bool owned;		/* the zone is */
	/* What the command made, to be undone. */
	__u64 offsets[1000];
	int made;
	char *map;
	size_t map_bytes;
	/* In caches. */
	__u32 class;
	__u64 cached;
};

static int create_zone(struct scene *scene)
{
	scene->made = _try_create(scene->control, ZONE_BYTES);
	return scene->made;
}

static int create_strict_committed(struct scene *scene)
{
	scene->made = _try_create_kind(scene->control,
				       SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED,
				       ZONE_BYTES, 0);
	return scene->made;
}

static int create_named_zone(struct scene *scene)
{
	scene->made = _try_create_named(scene->control, "selftest-new", 0600);
	return scene->made;
}

static int open_named_zone(struct scene *scene)
{
	scene->made = _try_open_zone(scene->control, ZONE_NAME, 0);
	return scene->made;
}

static void close_made(struct scene *scene)
{
	close(scene->made);
}

static int create_persistent_zone(struct scene *scene)
{
	scene->made = _try_create_persistent(scene->control, "selftest-new", 0600);
	return scene->made;
}

/* So that the next name is the first of its namespace. */
static int go_elsewhere(struct scene *scene)
{
	return unshare(CLONE_NEWIPC) ? -errno : 0;
}

static void end_persistent(struct scene *scene)
{
	close(scene->made);
	_try_unlink_zone(scene->control, "selftest-new");
}

static int reopen_zone(struct scene *scene)
{
	scene->made = _try_reopen(scene->zone, SHMZONE_OPEN_RDONLY);
	return scene->made;
}

static int reopen_for_writing(struct scene *scene)
{
	scene->made = _try_reopen(scene->zone, 0);
	return scene->made;
}

static int list_names(struct scene *scene)
{
	struct shmzone_entry entries[20];
	__u64 cursor = 0;

	return _try_list(scene->control, &cursor, 20, entries);
}

static int permit_name(struct scene *scene)
{
	return _try_permit(scene->control, ZONE_NAME,
			   SHMZONE_PERMIT_MODE | SHMZONE_PERMIT_UID, 0640, OWNER, 0);
}

static int unlink_name(struct scene *scene)
{
	int ret = _try_unlink_zone(scene->control, ZONE_NAME);

	/* Done by the call that was made to fail, and not told. */
	return ret == -ENOENT ? 0 : ret;
}

static int change_limit(struct scene *scene)
{
	int ret = _try_set_limit(scene->zone, GIB / 2);

	return ret ? ret : _try_set_limit(scene->zone, GIB);
}

static int seal_zone(struct scene *scene)
{
	int ret = _try_add_seals(scene->zone, SHMZONE_SEAL_LIMIT);

	return ret ? ret : _try_get_seals(scene->zone);
}

static int read_fdinfo(struct scene *scene)
{
	char path[64], text[2000];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", scene->zone);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	ret = read(fd, text, sizeof(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int alloc_slot(struct scene *scene)
{
	scene->made = _try_alloc(scene->zone, 100, 1, scene->offsets);
	return scene->made;
}

static int alloc_batch(struct scene *scene)
{
	scene->made = _try_alloc_in(scene->zone, 7, 1000, 1000, scene->offsets);
	return scene->made;
}

static int alloc_waiting(struct scene *scene)
{
	struct shmzone_alloc args = {
		SIZED(shmzone_alloc),
		.flags = SHMZONE_ALLOC_WAIT,
		.bytes = 100,
		.offsets = to_u64(scene->offsets),
		.count = 50,
	};
	int ret = _try_call(scene->zone, SHMZONE_ALLOC, &args);

	scene->made = ret < 0 ? 0 : args.out_count;
	return ret;
}

/* In the place of the plain zone. */
static int make_kind(struct scene *scene, __u32 kind)
{
	close(scene->zone);
	scene->zone = _try_create_kind(scene->control, kind, ZONE_BYTES, 0);
	return scene->zone;
}

static int make_committed(struct scene *scene)
{
	return make_kind(scene, SHMZONE_CREATE_COMMITTED);
}

static int make_strict(struct scene *scene)
{
	return make_kind(scene, SHMZONE_CREATE_STRICT);
}

static int make_strict_committed(struct scene *scene)
{
	return make_kind(scene, SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED);
}

static int alloc_span(struct scene *scene)
{
	scene->made = _try_alloc(scene->zone, 10 * page_bytes(), 1, scene->offsets);
	return scene->made;
}

static int make_strict_batch(struct scene *scene)
{
	int ret = make_strict(scene);

	return ret < 0 ? ret : alloc_batch(scene);
}

static int make_strict_span(struct scene *scene)
{
	int ret = make_strict_committed(scene);

	return ret < 0 ? ret : alloc_span(scene);
}

/* In several parts of the page map and of the page bitmap. */
static int alloc_spans(struct scene *scene)
{
	scene->made = _try_alloc(scene->zone, 100 * MIB, 3, scene->offsets);
	return scene->made;
}

static void free_made(struct scene *scene)
{
	_try_free_all(scene->zone, scene->offsets, scene->made);
}

static int free_batch(struct scene *scene)
{
	int ret = _try_free_all(scene->zone, scene->offsets, scene->made);
	struct shmzone_stat stat;

	/* What was freed remains so, even if that could not be told. */
	if (ret == -EFAULT && !_try_stat(scene->zone, &stat) &&
	    !stat.out_live_objects)
		return 0;
	return ret;
}

static int try_set_root(struct scene *scene, __u64 offset)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set),
		NAMED("root"),
		.offset = offset,
	};

	return _try_call(scene->zone, SHMZONE_ROOT_SET, &args);
}

static int set_root(struct scene *scene)
{
	return try_set_root(scene, scene->offsets[0]);
}

static int change_and_remove_root(struct scene *scene)
{
	int ret = set_root(scene);

	return ret ? ret : try_set_root(scene, 0);
}

/* Its root as well, if it has one. */
static void free_root(struct scene *scene)
{
	try_set_root(scene, 0);
	free_made(scene);
}

static int alloc_and_set_root(struct scene *scene)
{
	int ret = alloc_slot(scene);

	return ret < 0 ? ret : set_root(scene);
}

static int list_roots(struct scene *scene)
{
	struct shmzone_root root;
	struct shmzone_root_get get = { SIZED(shmzone_root_get), NAMED("root") };
	struct shmzone_root_list list = {
		SIZED(shmzone_root_list),
		.roots = to_u64(&root),
		.count = 1,
		.root_size = sizeof(root),
	};
	int ret = _try_call(scene->zone, SHMZONE_ROOT_GET, &get);

	return ret ? ret : _try_call(scene->zone, SHMZONE_ROOT_LIST, &list);
}

static int tell_figures(struct scene *scene)
{
	struct shmzone_class_figures figures;
	struct figures all;
	int ret = _try_figures(scene->control, scene->zone, &all);

	return ret ? ret : _try_class_stat(scene->zone, 1, 0, &figures);
}

static int tell_classes(struct scene *scene)
{
	struct shmzone_class classes[SHMZONE_CLASSES];
	struct shmzone_info args = {
		SIZED(shmzone_info),
		.classes = to_u64(classes),
		.class_count = SHMZONE_CLASSES,
		.class_size = sizeof(classes[0]),
	};

	return _try_call(scene->zone, SHMZONE_INFO, &args);
}

static int ask_for_made(struct scene *scene)
{
	struct shmzone_query query;

	return _try_query(scene->zone, scene->offsets[0], &query);
}

static int check_zone(struct scene *scene)
{
	struct shmzone_check check = { SIZED(shmzone_check) };
	int ret = _try_call(scene->zone, SHMZONE_CHECK, &check);

	return ret ? ret : check.out_text[0] ? -EUCLEAN : 0;
}

static int poll_zone(struct scene *scene)
{
	struct pollfd poller = { .fd = scene->zone, .events = POLLOUT };
	int ret = poll(&poller, 1, 0);

	return ret < 0 ? -errno : ret == 1 ? 0 : -EUCLEAN;
}

static int watch_zone(struct scene *scene)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int set = epoll_create1(EPOLL_CLOEXEC), ret = 0;

	if (set < 0)
		return -errno;
	if (epoll_ctl(set, EPOLL_CTL_ADD, scene->zone, &event))
		ret = -errno;
	else if (epoll_wait(set, &event, 1, 0) != 1)
		ret = -EUCLEAN;
	close(set);
	return ret;
}

static int map_zone(struct scene *scene)
{
	scene->map_bytes = ZONE_BYTES;
	scene->map = map_data(scene->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	return scene->map == MAP_FAILED ? -errno : 0;
}

static int map_page_map(struct scene *scene)
{
	scene->map_bytes = ZONE_BYTES / page_bytes() * sizeof(__u32);
	scene->map = map_pages(scene->zone, ZONE_BYTES, PROT_READ);
	return scene->map == MAP_FAILED ? -errno : 0;
}

/* Away from all others, so that faults need page tables too. */
static int map_afar(struct scene *scene, size_t bytes, int prot, __u64 offset)
{
	scene->map_bytes = bytes;
	scene->map = mmap((void *)0x500000000000, bytes, prot,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, scene->zone, offset);
	return scene->map == MAP_FAILED ? -errno : 0;
}

static int map_zone_afar(struct scene *scene)
{
	return map_afar(scene, ZONE_BYTES, PROT_READ | PROT_WRITE, 0);
}

static int map_page_map_afar(struct scene *scene)
{
	return map_afar(scene, ZONE_BYTES / page_bytes() * sizeof(__u32), PROT_READ,
			SHMZONE_MMAP_PAGE_MAP);
}

/* The span has pages, but no memory yet. */
static int map_strict_afar(struct scene *scene)
{
	int ret = make_strict(scene);

	ret = ret < 0 ? ret : alloc_span(scene);
	return ret < 0 ? ret : map_zone_afar(scene);
}

static int populate(const struct scene *scene, int advice)
{
	char *at = scene->map + (scene->made ? scene->offsets[0] : 0);

	return madvise(at, 4 * page_bytes(), advice) ? -errno : 0;
}

static int fault_for_writing(struct scene *scene)
{
	return populate(scene, MADV_POPULATE_WRITE);
}

static int fault_for_reading(struct scene *scene)
{
	return populate(scene, MADV_POPULATE_READ);
}

static int map_and_touch(struct scene *scene)
{
	int ret = map_zone(scene);

	if (!ret)
		*(volatile char *)scene->map = 1;
	return ret;
}

/* In its middle, so that there are three of it. */
static int protect_a_part(struct scene *scene)
{
	char *at = scene->map + scene->map_bytes / 2;

	return mprotect(at, page_bytes(), PROT_READ) ? -errno : 0;
}

static int unmap_a_part(struct scene *scene)
{
	char *at = scene->map + scene->map_bytes / 2;

	return munmap(at, page_bytes()) ? -errno : 0;
}

static int fork_and_wait(struct scene *scene)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static void unmap(struct scene *scene)
{
	munmap(scene->map, scene->map_bytes);
}

static void unmap_and_free(struct scene *scene)
{
	unmap(scene);
	free_made(scene);
}

/* Caches. */

#define CACHES	2

static int map_some_caches(struct scene *scene)
{
	scene->map_bytes = CACHES * SHMZONE_CACHE_BYTES;
	scene->map = (char *)map_caches(scene->zone, CACHES);
	return scene->map == MAP_FAILED ? -errno : 0;
}

static int touch_cache(struct scene *scene)
{
	int signal = touch_write(scene->map);

	/* That is how a shortage is told there. */
	return signal == SIGBUS ? -ENOMEM : -signal;
}

static int map_caches_afar(struct scene *scene)
{
	return map_afar(scene, CACHES * SHMZONE_CACHE_BYTES, PROT_READ | PROT_WRITE,
			SHMZONE_MMAP_CACHES);
}

static int map_caches_for_slots(struct scene *scene)
{
	scene->class = class_of(scene->zone, 64);
	scene->cached = 0;
	return map_some_caches(scene);
}

static int map_strict_caches(struct scene *scene)
{
	int ret = make_strict(scene);

	return ret < 0 ? ret : map_caches_for_slots(scene);
}

static int map_committed_caches(struct scene *scene)
{
	int ret = make_committed(scene);

	return ret < 0 ? ret : map_caches_for_slots(scene);
}

static __u64 cached(const struct scene *scene)
{
	struct shmzone_stat stat;

	return _try_stat(scene->zone, &stat) ? 0 : stat.out_cached_objects;
}

static int fill_first_cache(struct scene *scene, int ret, unsigned int n)
{
	if (ret < 0)
		return ret;
	cache_fill(scene->zone, (void *)scene->map, 0, scene->class, n);
	scene->cached = cached(scene);
	return scene->cached ? 0 : -ENOENT;
}

static int make_small_cache(struct scene *scene)
{
	return fill_first_cache(scene, map_caches_for_slots(scene), 8);
}

/* As many as there can be capacity for. */
#define FULL_OF_1024	64

static int make_full_cache(struct scene *scene)
{
	int ret = map_caches_for_slots(scene);

	scene->class = class_of(scene->zone, 1024);
	return fill_first_cache(scene, ret, FULL_OF_1024);
}

static int make_strict_full_cache(struct scene *scene)
{
	int ret = map_strict_caches(scene);

	scene->class = class_of(scene->zone, 1024);
	return fill_first_cache(scene, ret, FULL_OF_1024);
}

/* What was done remains so, even if that could not be told. */
static int is_done(const struct scene *scene, int ret)
{
	return ret == -EFAULT && cached(scene) != scene->cached ? 0 : ret;
}

static int refill_bin(struct scene *scene)
{
	return is_done(scene, _try_refill(scene->zone, 0, scene->class, 0, NULL));
}

static int refill_other_group(struct scene *scene)
{
	return is_done(scene, _try_refill(scene->zone, 0, scene->class, 7, NULL));
}

static int drain_bin(struct scene *scene)
{
	return is_done(scene, _try_drain(scene->zone, 0, scene->class, 0, NULL));
}

static int drain_all_bins(struct scene *scene)
{
	return is_done(scene, _try_drain_all(scene->zone, 0));
}

static int take_back_stock(struct scene *scene)
{
	return is_done(scene, _try_reclaim(scene->zone, NULL));
}

#endif /* SHMZONE_SELFTESTS_FAIL_NTH_STEPS_H */
