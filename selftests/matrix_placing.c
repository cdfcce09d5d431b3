// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: where mappings lie, and what rights they have.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matrix.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

static char *space_for(size_t bytes)
{
	return mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int cover(const struct cell *c, int arg)
{
	void *map = mmap(c->at, c->page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	memset(map, 1, c->page);
	return 0;
}

static int map_again(const struct cell *c, int prot)
{
	return result_of((long)map_over(c, prot, 0, c->fd));
}

static int unmap_page(const struct cell *c, int arg)
{
	if (munmap(c->at, c->page))
		return -errno;
	return touch_read(c->at) == SIGSEGV ? 0 : NO;
}

/* remap_file_pages() of the first page, to what the mmap offset shows. */
static int remap_to(const struct cell *c, __u64 offset)
{
	return result_of(syscall(SYS_remap_file_pages, c->map, c->page, 0,
				 offset / c->page, 0));
}

static int remap_in_area(const struct cell *c, int arg)
{
	int ret = remap_to(c, c->offset);

	if (ret)
		return ret;
	return memcmp(c->map, c->at, c->page) ? NO : 0;
}

static int remap_to_other_area(const struct cell *c, int arg)
{
	return remap_to(c, c->start ? 0 : SHMZONE_MMAP_PAGE_MAP);
}

static int remap_beyond(const struct cell *c, int arg)
{
	return remap_to(c, c->start + 2 * c->bytes);
}

static int remap_writable(const struct cell *c, int arg)
{
	return result_of(syscall(SYS_remap_file_pages, c->map, c->page, PROT_WRITE,
				 c->offset / c->page, 0));
}

static int grow(const struct cell *c, int flags)
{
	return result_of((long)mremap(c->map, c->bytes, 2 * c->bytes, flags));
}

static int shrink(const struct cell *c, int arg)
{
	if (mremap(c->map, c->bytes, c->bytes / 2, 0) != c->map)
		return -errno;
	return touch_read(c->map + c->bytes / 2) == SIGSEGV ? 0 : NO;
}

static int move(const struct cell *c, int arg)
{
	char *to = space_for(c->bytes);

	if (mremap(c->map, c->bytes, c->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return -errno;
	if (touch_read(to) != hole_signal(c) || touch_read(to + (c->at - c->map)))
		return _wrong("what was moved cannot be read");
	return touch_read(c->map) == SIGSEGV ? 0 : NO;
}

static int move_page(const struct cell *c, int arg)
{
	char *to = space_for(c->page);

	if (mremap(c->at, c->page, c->page, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return -errno;
	return touch_read(to) ? NO : 0;
}

static int move_over_itself(const struct cell *c, int arg)
{
	char *to = hole_of(c);

	if (mremap(c->at, c->page, c->page, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return -errno;
	return touch_read(to) ? NO : 0;
}

static int duplicate(const struct cell *c, int arg)
{
	return result_of((long)mremap(c->map, 0, c->page, MREMAP_MAYMOVE));
}

static int move_and_keep(const struct cell *c, int flags)
{
	return result_of((long)mremap(c->map, c->bytes, c->bytes,
				      MREMAP_MAYMOVE | MREMAP_DONTUNMAP | flags,
				      flags ? space_for(c->bytes) : NULL));
}

static int protect(const struct cell *c, int prot)
{
	return result_of(mprotect(c->map, c->bytes, prot));
}

static int protect_page(const struct cell *c, int prot)
{
	return result_of(mprotect(c->at, c->page, prot));
}

static int protect_and_back(const struct cell *c, int prot)
{
	if (mprotect(c->map, c->bytes, prot))
		return -errno;
	if (prot == PROT_NONE && touch_read(c->at) != SIGSEGV)
		return NO;
	if (touch_write(c->at) != SIGSEGV)
		return NO;
	if (mprotect(c->map, c->bytes, c->prot))
		return -errno;
	return touch_write(c->at) == (c->writable ? 0 : SIGSEGV) ? 0 : NO;
}

static int protect_by_key(const struct cell *c, int prot)
{
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS), ret;

	if (key < 0)
		return ABSENT;
	ret = result_of(pkey_mprotect(c->map, c->bytes, prot, key));
	if (ret)
		return ret;
	if (touch_read(c->at) != SIGSEGV)
		return NO;
	pkey_set(key, 0);
	return touch_read(c->at) ? NO : 0;
}

static int seal(const struct cell *c, int arg)
{
	if (syscall(SYS_mseal, space_for(c->page), c->page, 0))
		return ABSENT;
	if (syscall(SYS_mseal, c->map, c->bytes, 0))
		return -errno;
	return munmap(c->map, c->page) ? 0 : NO;
}

static int write_there(const struct cell *c, int arg)
{
	int signal = touch_write(c->at);

	if (signal)
		kill(getpid(), signal);
	memcpy(scribble_at(c), SCRIBBLE, SCRIBBLE_BYTES);
	return 0;
}

const struct action placing[] = {
	{ "a store", write_there },
	{ "`mmap` over it", cover },
	{ "`mmap` again over it", map_again, PROT_READ },
	{ "`mmap` again to write", map_again, RW },
	{ "`munmap` of a page", unmap_page },
	{ "`remap_file_pages` in the area", remap_in_area },
	{ "`remap_file_pages` to the other area", remap_to_other_area },
	{ "`remap_file_pages` beyond the area", remap_beyond },
	{ "`remap_file_pages` to write", remap_writable },
	{ "`mremap` to grow in place", grow, 0 },
	{ "`mremap` to grow elsewhere", grow, MREMAP_MAYMOVE },
	{ "`mremap` to shrink", shrink },
	{ "`mremap` to move", move },
	{ "`mremap` to move a page", move_page },
	{ "`mremap` to move a page over another", move_over_itself },
	{ "`mremap` from nothing", duplicate },
	{ "`mremap` with `DONTUNMAP`", move_and_keep, 0 },
	{ "`mremap` with `DONTUNMAP` and `FIXED`", move_and_keep, MREMAP_FIXED },
	{ "`mprotect` to nothing and back", protect_and_back, PROT_NONE },
	{ "`mprotect` to read and back", protect_and_back, PROT_READ },
	{ "`mprotect` to write", protect, RW },
	{ "`mprotect` of a page to write", protect_page, PROT_WRITE },
	{ "`mprotect` to execute", protect, PROT_READ | PROT_EXEC },
	{ "`mprotect` to write and execute", protect, RW | PROT_EXEC },
	{ "`mprotect` with `GROWSDOWN`", protect, PROT_READ | PROT_GROWSDOWN },
	{ "`pkey_mprotect` to read", protect_by_key, PROT_READ },
	{ "`pkey_mprotect` to write", protect_by_key, RW },
	{ "`pkey_mprotect` to execute", protect_by_key, PROT_READ | PROT_EXEC },
	{ "`mseal`", seal },
	{}
};
