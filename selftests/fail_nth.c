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
#include "caches.h"
#include "fail_nth_owned.h"
#include "fail_nth_steps.h"

/* More failing points than that in one command would be a mistake. */
#define POINTS_MAX	1000

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

FIXTURE_VARIANT_ADD(fail_nth, reopen_for_writing) {
	STEPS(NULL, reopen_for_writing, close_made)
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

FIXTURE_VARIANT_ADD(fail_nth, create_strict_committed) {
	STEPS(NULL, create_strict_committed, close_made)
};

FIXTURE_VARIANT_ADD(fail_nth, committed_batch) {
	STEPS(make_committed, alloc_batch, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_slot) {
	STEPS(make_strict, alloc_slot, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_batch_free) {
	STEPS(make_strict_batch, free_batch, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_mmap) {
	STEPS(make_strict, map_zone, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_fault) {
	STEPS(map_strict_afar, fault_for_writing, unmap_and_free)
};

FIXTURE_VARIANT_ADD(fail_nth, strict_fault_to_read) {
	STEPS(map_strict_afar, fault_for_reading, unmap_and_free)
};

FIXTURE_VARIANT_ADD(fail_nth, free_batch) {
	STEPS(alloc_batch, free_batch, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, figures) {
	STEPS(NULL, tell_figures, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, classes) {
	STEPS(NULL, tell_classes, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, query) {
	STEPS(alloc_slot, ask_for_made, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, check) {
	STEPS(alloc_batch, check_zone, free_made)
};

FIXTURE_VARIANT_ADD(fail_nth, poll) {
	STEPS(NULL, poll_zone, NULL)
};

FIXTURE_VARIANT_ADD(fail_nth, epoll) {
	STEPS(NULL, watch_zone, NULL)
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

FIXTURE_VARIANT_ADD(fail_nth, mprotect_a_part) {
	STEPS(map_zone, protect_a_part, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, munmap_a_part) {
	STEPS(map_zone, unmap_a_part, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, fork) {
	STEPS(map_and_touch, fork_and_wait, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_mmap) {
	STEPS(NULL, map_some_caches, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_fault) {
	STEPS(map_caches_afar, touch_cache, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_refill) {
	STEPS(map_caches_for_slots, refill_bin, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_refill_more) {
	STEPS(make_small_cache, refill_bin, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_refill_other_group) {
	STEPS(map_caches_for_slots, refill_other_group, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_refill_committed) {
	STEPS(map_committed_caches, refill_bin, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_refill_strict) {
	STEPS(map_strict_caches, refill_bin, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_drain_first) {
	STEPS(map_caches_for_slots, drain_bin, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_drain) {
	STEPS(make_full_cache, drain_bin, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_drain_all) {
	STEPS(make_full_cache, drain_all_bins, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_drain_strict) {
	STEPS(make_strict_full_cache, drain_all_bins, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, cache_reclaim) {
	STEPS(make_full_cache, take_back_stock, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_create) {
	STEPS(NULL, create_checked_zone, close_made)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_mmap) {
	STEPS(make_owned, map_some_caches, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_fault) {
	STEPS(map_owned_caches, touch_cache, unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_alloc_slot) {
	STEPS(make_owned_client, alloc_slot, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_alloc_batch) {
	STEPS(make_owned_client, alloc_batch, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_alloc_spans) {
	STEPS(make_owned_client, alloc_spans, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_refill) {
	STEPS(make_owned_client, refill_bin, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_give_slot) {
	STEPS(own_slots, give_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_give_span) {
	STEPS(own_spans, give_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_offer_slot) {
	STEPS(own_slots, offer_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_offer_span) {
	STEPS(own_spans, offer_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_take_slot) {
	STEPS(own_given_slots, take_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_link_slots) {
	STEPS(own_slots, link_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_link_spans) {
	STEPS(own_spans, link_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_unlink_slot) {
	STEPS(own_linked_slots, unlink_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_unlink_span) {
	STEPS(own_linked_spans, unlink_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_free_parent) {
	STEPS(own_linked_slots, free_parent, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, owned_walk) {
	STEPS(own_linked_slots, walk_over_made, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, checked_refill) {
	STEPS(make_checked_client, refill_bin, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, checked_drain) {
	STEPS(make_pending, drain_all_bins, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, checked_drain_first) {
	STEPS(make_checked_client, drain_bin, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, checked_refill_pending) {
	STEPS(make_pending, refill_bin, free_and_unmap)
};

FIXTURE_VARIANT_ADD(fail_nth, checked_free) {
	STEPS(make_checked_client_batch, free_batch, free_and_unmap)
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

/* In a zone with owners, clients alone allocate. */
static int still_allocates(const struct scene *scene)
{
	struct shmzone_cache *caches = MAP_FAILED;
	__u64 offset;
	int ret;

	if (scene->owned)
		caches = map_caches(scene->zone, 1);
	ret = _try_alloc(scene->zone, 100, 1, &offset);
	if (caches != MAP_FAILED)
		munmap(caches, SHMZONE_CACHE_BYTES);
	return ret;
}

TEST_F(fail_nth, sweep)
{
	struct scene *scene = &self->scene;
	bool reached = true;
	int n, ret;

	for (n = 1; reached; n++) {
		__u64 live;

		ASSERT_GT(POINTS_MAX, n);
		scene->owned = false;
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
		ASSERT_EQ(1, still_allocates(scene));
		close(scene->zone);
		ASSERT_TRUE(zones_become(scene->control, self->zones));
	}
	TH_LOG("%d points of failure", n - 2);
}

/*
 * What a child has seen of its first touch of the caches that it inherited. That is
 * no command which could say what is wrong, so it works, whatever fails.
 */
enum { FAILED_CHILD = 1, REACHED };

static int first_touch(void *arg)
{
	struct scene *scene = arg;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", scene->made);
	int file = open_fail_nth(), ret;
	bool reached;

	if (file < 0 || pwrite(file, text, len, 0) != len)
		return FAILED_CHILD;
	ret = touch_cache(scene);
	reached = disarm(file);
	if (ret)
		return FAILED_CHILD;
	/* The child may have to do without caches then, and is told so. */
	ret = _try_refill(scene->zone, 0, scene->class, 0, NULL);
	if (ret && (ret != -ENXIO || !reached || touch_cache(scene)))
		return FAILED_CHILD;
	return reached ? REACHED : 0;
}

TEST(fail_nth_of_a_childs_first_fault)
{
	struct scene scene = { .control = control_fd() };
	int ret = REACHED, file = open_fail_nth(), n;

	if (file < 0)
		SKIP(return, "this kernel injects no faults");
	arm();
	for (n = 1; ret == REACHED; n++) {
		ASSERT_GT(POINTS_MAX, n);
		scene.zone = create(scene.control, GIB);
		ASSERT_EQ(0, map_caches_for_slots(&scene));
		ASSERT_EQ(0, touch_cache(&scene));
		scene.made = n;
		ret = in_child(first_touch, &scene);
		ASSERT_TRUE(ret == 0 || ret == REACHED);
		ASSERT_EQ(1, stat_of(scene.zone).out_caches);
		ASSERT_EQ(0, stat_of(scene.zone).out_live_objects);
		unmap(&scene);
		close(scene.zone);
	}
	TH_LOG("%d points of failure", n - 2);
	/* One at least: there is a client, a cache and its page to be made. */
	ASSERT_LT(3, n);
	close(file);
}

TEST_HARNESS_MAIN
