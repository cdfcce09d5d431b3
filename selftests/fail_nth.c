// SPDX-License-Identifier: GPL-2.0
/*
 * Every failure inside the kernel, one at a time: a command is repeated with
 * the first, the second, the third ... allocation or copy of it failing, until
 * none is left to fail. Each time it either succeeds or says so with an errno
 * that fits, leaves nothing behind, and succeeds when repeated.
 *
 * This needs a kernel with fault injection.
 */
#include <fcntl.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	GIB
#define ZONE_NAME	"selftest-fail-nth"
/* More failing points than that in one command would be a mistake. */
#define POINTS_MAX	1000

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

struct scene {
	int control;
	int zone;
	/* What the command made, to be undone. */
	__u64 offsets[1000];
	int made;
	char *map;
	size_t map_bytes;
};

static void write_setting(const char *directory, const char *file, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", directory, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "# %s cannot be set\n", path);
	close(fd);
}

/* Let any allocation and any copy be one that can fail, without a message. */
static void arm(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	size_t i;

	for (i = 0; i < 3; i++)
		write_setting(kinds[i], "verbose", "0");
	write_setting("failslab", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "ignore-gfp-wait", "N");
	write_setting("fail_page_alloc", "ignore-gfp-highmem", "N");
	write_setting("fail_page_alloc", "min-order", "0");
}

static int open_fail_nth(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", getpid());
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Stop failing. Gives whether the point was reached before. */
static bool disarm(int file)
{
	char text[32] = "";
	bool reached;

	/* If this very call is what fails, the command was over before. */
	reached = pread(file, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
	while (pwrite(file, "0", 1, 0) < 0)
		;
	return reached;
}

static int create_zone(struct scene *scene)
{
	scene->made = _try_create(scene->control, ZONE_BYTES);
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

static int make_strict_committed(struct scene *scene)
{
	return make_kind(scene, SHMZONE_CREATE_STRICT | SHMZONE_CREATE_COMMITTED);
}

static int alloc_span(struct scene *scene)
{
	scene->made = _try_alloc(scene->zone, 10 * page_bytes(), 1, scene->offsets);
	return scene->made;
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

static int populate(const struct scene *scene, int advice)
{
	return madvise(scene->map, 4 * page_bytes(), advice) ? -errno : 0;
}

static int fault_for_writing(struct scene *scene)
{
	return populate(scene, MADV_POPULATE_WRITE);
}

static int fault_for_reading(struct scene *scene)
{
	return populate(scene, MADV_POPULATE_READ);
}

static void unmap(struct scene *scene)
{
	munmap(scene->map, scene->map_bytes);
}

FIXTURE(fail_nth) {
	struct scene scene;
	__u64 zones;
	int file;
};

FIXTURE_VARIANT(fail_nth) {
	int (*before)(struct scene *scene);	/* done first, without failing */
	int (*command)(struct scene *scene);	/* what is to fail */
	void (*after)(struct scene *scene);	/* undoes what was done */
};

#define STEPS(_before, _command, _after)				\
	.before = _before,						\
	.command = _command,						\
	.after = _after

FIXTURE_VARIANT_ADD(fail_nth, create) {
	STEPS(NULL, create_zone, close_made)
};

FIXTURE_VARIANT_ADD(fail_nth, create_named) {
	STEPS(NULL, create_named_zone, close_made)
};

FIXTURE_VARIANT_ADD(fail_nth, open) {
	STEPS(NULL, open_named_zone, close_made)
};

FIXTURE_VARIANT_ADD(fail_nth, create_persistent) {
	STEPS(NULL, create_persistent_zone, end_persistent)
};

FIXTURE_VARIANT_ADD(fail_nth, first_name_of_a_namespace) {
	STEPS(go_elsewhere, create_persistent_zone, end_persistent)
};

FIXTURE_VARIANT_ADD(fail_nth, reopen) {
	STEPS(NULL, reopen_zone, close_made)
};

FIXTURE_VARIANT_ADD(fail_nth, list) {
	STEPS(NULL, list_names, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, permit) {
	STEPS(NULL, permit_name, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, unlink) {
	STEPS(NULL, unlink_name, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, set_limit) {
	STEPS(NULL, change_limit, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, seals) {
	STEPS(NULL, seal_zone, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, fdinfo) {
	STEPS(NULL, read_fdinfo, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, alloc_slot) {
	STEPS(NULL, alloc_slot, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, alloc_waiting) {
	STEPS(NULL, alloc_waiting, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, alloc_batch) {
	STEPS(NULL, alloc_batch, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, alloc_spans) {
	STEPS(NULL, alloc_spans, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, committed_slot) {
	STEPS(make_committed, alloc_slot, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, committed_span) {
	STEPS(make_committed, alloc_span, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_span) {
	STEPS(make_strict_committed, alloc_span, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_free) {
	STEPS(make_strict_span, free_batch, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, free_batch) {
	STEPS(alloc_batch, free_batch, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, figures) {
	STEPS(NULL, tell_figures, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, set_root) {
	STEPS(alloc_slot, set_root, free_root)
};

FIXTURE_VARIANT_ADD(fail_nth, change_and_remove_root) {
	STEPS(alloc_and_set_root, change_and_remove_root, free_root)
};

FIXTURE_VARIANT_ADD(fail_nth, list_roots) {
	STEPS(alloc_and_set_root, list_roots, free_root)
};

FIXTURE_VARIANT_ADD(fail_nth, mmap_data) {
	STEPS(NULL, map_zone, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, mmap_page_map) {
	STEPS(NULL, map_page_map, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, fault_data) {
	STEPS(map_zone_afar, fault_for_writing, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, fault_page_map) {
	STEPS(map_page_map_afar, fault_for_reading, unmap)
};

FIXTURE_SETUP(fail_nth)
{
	struct shmzone_info zones;

	self->file = open_fail_nth();
	if (self->file < 0)
		SKIP(return, "this kernel injects no faults");
	arm();
	self->scene.control = control_fd();
	info(self->scene.control, &zones);
	self->zones = zones.out_zones;
}

FIXTURE_TEARDOWN(fail_nth)
{
	close(self->scene.control);
	close(self->file);
}

static bool is_shortage(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -ENFILE;
}

/* The command with its nth point failing; sets whether there is such a point. */
static int fail_at(int file, const FIXTURE_VARIANT(fail_nth) *variant,
		   struct scene *scene, int n, bool *reached)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);
	int ret;

	if (pwrite(file, text, len, 0) != len)
		return -EUCLEAN;
	ret = variant->command(scene);
	*reached = disarm(file);
	return ret;
}

static int make_zone(struct scene *scene)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = ZONE_BYTES,
		NAMED(ZONE_NAME),
		.mode = 0600,
	};

	scene->zone = _try_call(scene->control, SHMZONE_CREATE, &args);
	return scene->zone;
}

TEST_F(fail_nth, sweep)
{
	struct scene *scene = &self->scene;
	bool reached = true;
	int n, ret;

	for (n = 1; reached; n++) {
		__u64 live;

		ASSERT_GT(POINTS_MAX, n);
		ASSERT_LE(0, make_zone(scene));
		if (variant->before)
			ASSERT_LE(0, variant->before(scene));
		live = stat_of(scene->zone).out_live_objects;

		ret = fail_at(self->file, variant, scene, n, &reached);
		if (ret < 0) {
			ASSERT_TRUE(reached);
			if (!is_shortage(ret))
				TH_LOG("point %d gives %s", n, strerror(-ret));
			ASSERT_TRUE(is_shortage(ret));
			ASSERT_EQ(live, stat_of(scene->zone).out_live_objects);
			ASSERT_LE(0, variant->command(scene));
		}
		if (variant->after)
			variant->after(scene);
		ASSERT_EQ(0, stat_of(scene->zone).out_live_objects);
		alloc(scene->zone, 100);
		close(scene->zone);
		ASSERT_TRUE(zones_become(scene->control, self->zones));
	}
	TH_LOG("%d points of failure", n - 2);
}

TEST_HARNESS_MAIN
