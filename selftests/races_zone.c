// SPDX-License-Identifier: GPL-2.0
/*
 * For races.c: what races for a zone as a whole, which is its name, its limit and
 * its mappings.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "races.h"

static void use_new_zone(int zone, const char *what)
{
	struct shmzone_stat stat;
	__u64 offset;

	if (_try_stat(zone, &stat) || stat.out_zone_bytes != MIB)
		wrong("a zone that is half made", 0);
	if (_try_alloc(zone, 100, 1, &offset) != 1)
		wrong(what, -ENOMEM);
	else if (_try_free_at(zone, offset) != 1)
		wrong("an object of one's own cannot be freed", 0);
	close(zone);
}

/* names */
void create_or_open(__u64 *random)
{
	int zone = _try_create_named(shared->control, shared->name, 0600);

	if (zone < 0)
		wrong("create or open", zone);
	else
		use_new_zone(zone, "alloc in a zone by name");
}

void create_for_good(__u64 *random)
{
	int zone = _try_create_persistent(shared->control, shared->name, 0600);

	if (zone < 0)
		wrong("create a persistent zone", zone);
	else
		use_new_zone(zone, "alloc in a persistent zone");
}

void open_by_name(__u64 *random)
{
	int zone = _try_open_zone(shared->control, shared->name, 0);

	expect("open", zone, ALLOW(ENOENT));
	if (zone >= 0)
		use_new_zone(zone, "alloc in an opened zone");
}

void unlink_name(__u64 *random)
{
	expect("unlink", _try_unlink_zone(shared->control, shared->name), ALLOW(ENOENT));
}

void list_and_permit(__u64 *random)
{
	struct shmzone_entry entries[4];
	__u64 cursor = 0;
	int n = _try_list(shared->control, &cursor, 4, entries);

	if (n < 0)
		wrong("list", n);
	expect("permit", _try_chmod_name(shared->control, shared->name, 0640), ALLOW(ENOENT));
}

void forget_name(void)
{
	_try_unlink_zone(shared->control, shared->name);
}

/* limits */
void alloc_and_free(__u64 *random)
{
	__u64 offsets[16];
	__u32 bytes = 1 + next_random(random) % (16U << next_random(random) % 13);
	int n = _try_alloc(shared->zone, bytes, 1 + next_random(random) % 16, offsets);

	expect("alloc", n, ALLOW(ENOMEM));
	if (n > 0 && _try_free_all(shared->zone, offsets, n) != n)
		wrong("a free was refused", n);
}

void change_limit(__u64 *random)
{
	int ret = _try_set_limit(shared->zone,
				 next_random(random) % 64 * 16 * page_bytes());

	if (ret)
		wrong("set the limit", ret);
}

void ask_figures(__u64 *random)
{
	struct shmzone_class_figures figures;
	struct shmzone_stat stat;
	struct shmzone_info info;

	if (_try_stat(shared->zone, &stat) || _try_info(shared->zone, &info) ||
	    _try_class_stat(shared->zone, next_random(random) % SHMZONE_CLASSES,
			    SHMZONE_GROUP_ALL, &figures))
		wrong("figures", 0);
	if (stat.out_taken_bytes > ZONE_BYTES)
		wrong("more is taken than there is", 0);
}

void check(__u64 *random)
{
	if (!zone_consistent(shared->zone))
		wrong("the allocator contradicts itself", 0);
	usleep(1000);
}

void all_is_free(void)
{
	struct shmzone_stat stat;
	__u64 offset;

	_try_set_limit(shared->zone, 0);
	if (_try_stat(shared->zone, &stat) || stat.out_live_objects || stat.out_spans)
		wrong("something is left", stat.out_live_objects);
	if (!slabs_become(shared->zone, 0))
		wrong("slabs are left", 0);
	if (_try_alloc(shared->zone, ZONE_BYTES / 2, 1, &offset) != 1)
		wrong("not all memory can be had again", 0);
	else
		_try_free_at(shared->zone, offset);
}

/* mappings */
void map_touch_and_unmap(__u64 *random)
{
	__u32 *pages = map_pages(shared->zone, ZONE_BYTES, PROT_READ);
	char *data = map_data(shared->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	size_t at = next_random(random) % (ZONE_BYTES / page_bytes());

	if (data == MAP_FAILED || (void *)pages == MAP_FAILED)
		return wrong("mmap", -errno);
	if (SHMZONE_PAGE_KIND(((volatile __u32 *)pages)[at]) > SHMZONE_KIND_SPAN)
		wrong("the page map makes no sense", 0);
	touch_read(data + at * page_bytes());
	munmap(data + (at & ~15UL) * page_bytes(), 16 * page_bytes());
	madvise(data, ZONE_BYTES, next_random(random) & 1 ? MADV_DONTNEED : MADV_COLD);
	munmap(data, ZONE_BYTES);
	munmap(pages, ZONE_BYTES / page_bytes() * sizeof(__u32));
}

/* A span is one's own: zero in a strict zone, and what was written stays. */
void write_to_a_span(__u64 *random)
{
	size_t bytes = (9 + next_random(random) % 32) * page_bytes();
	char *data = map_data(shared->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	__u64 seed = next_random(random), offset;

	if (data == MAP_FAILED)
		return wrong("mmap", -errno);
	if (_try_alloc(shared->zone, bytes, 1, &offset) == 1) {
		if (!all_bytes(data + offset, bytes, 0))
			wrong("a new span of a strict zone is not zero", 0);
		fill_pattern(data + offset, bytes, seed);
		if (!has_pattern(data + offset, bytes, seed))
			wrong("somebody else wrote to a span", 0);
		if (_try_free_at(shared->zone, offset) != 1)
			wrong("a span of one's own cannot be freed", 0);
	}
	munmap(data, ZONE_BYTES);
}

void fork_with_a_mapping(__u64 *random)
{
	char *data = map_data(shared->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	pid_t pid = fork();

	if (!pid) {
		mprotect(data, ZONE_BYTES / 2, PROT_READ);
		_exit(0);
	}
	if (pid > 0 && next_random(random) & 1)
		kill(pid, SIGKILL);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	munmap(data, ZONE_BYTES);
}
