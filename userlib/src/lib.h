/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Internals of libshmzone.
 *
 * A handle is written once, before anyone else sees it, and only read from then
 * on. What else there is belongs to a thread (cache.h), or is kept such that
 * nobody who allocates or frees waits for anybody, and the child of a fork needs
 * no handler (thread.c, region.c). (A thread
 * remembers where in the table of a reader-writer lock it was last.)
 *
 * Inside the library results are 0 or -errno, and errno itself is set in
 * exactly one place, fail().
 */
#ifndef LIBSHMZONE_LIB_H
#define LIBSHMZONE_LIB_H

#include <errno.h>
#include <stdbool.h>

#include "shmzone.h"

/* The class in a page map entry has six bits: no index can be out of range. */
#define CLASS_MAX	64

/* How the class of a size is found: in steps of 8 bytes at first, then of 128. */
#define SMALL_STEP	8
#define SMALL_STEPS	128
#define LARGE_STEP	128
#define LARGE_STEPS	256

/*
 * struct shmz - a handle
 * @own: where a thread has the pointer to its cache, see cache.h
 * @base: where the data is
 * @bytes: its size
 * @sized_bytes: the same where frees of known size may do without the page map,
 *		  else 0
 * @page_map: the page map
 * @small: the bin of objects of up to (n + 1) * SMALL_STEP bytes and group 0, by n,
 *	   as its place in a cache
 * @slot: which caches it has, see cache.h
 * @checked: the zone is a checked one
 * @fd: the descriptor, which belongs to the handle
 * @page_shift: log2 of the size of a page
 * @slot_bytes_max: of the largest class
 * @large: the same with LARGE_STEP; that of SHMZONE_CLASS_SPAN beyond all classes
 * @class: the kernel's table of classes
 *
 * What the fast path needs comes first, where it is reached by short instructions.
 */
struct shmz {
	uintptr_t own;
	char *base;
	uint64_t bytes;
	uint64_t sized_bytes;
	const uint32_t *page_map;
	uint8_t small[SMALL_STEPS];
	uint32_t slot;
	bool checked;
	int fd;
	unsigned int page_shift;
	unsigned int slot_bytes_max;
	uint8_t large[LARGE_STEPS];
	struct shmzone_class class[CLASS_MAX];
};

/*
 * ioctl(2) that returns -errno and leaves errno alone. EINTR is the caller's to
 * hear of: it comes from calls that wait, which are never restarted, and to a
 * process that is being killed.
 */
int lib_ioctl(int fd, unsigned long cmd, void *arg);

/* The same on /dev/shmzone, opened for this one call. */
int lib_control(unsigned long cmd, void *arg);

/*
 * Map what lies at mmap offset @at of a zone descriptor, shared: at *@area, in
 * place of what is there, or where the kernel likes if that is NULL.
 */
int lib_map(int fd, void **area, size_t bytes, int prot, uint64_t at);
void lib_unmap(void *area, size_t bytes);

/* Put nothing in place of what is mapped there, but keep the addresses. */
int lib_cover(void *area, size_t bytes);

void lib_close(int fd);

static inline void *fail(int err)
{
	errno = -err;
	return NULL;
}

/* Up to the next whole page; -EOVERFLOW beyond all pages. */
int round_to_pages(uint64_t *bytes);

/* Zero bytes are allocated as one, see shmzone.h. */
static inline uint64_t at_least_one(size_t bytes)
{
	return bytes ? bytes : 1;
}

/*
 * Where @p lies if it is in the zone, else something beyond it, or 0. For calls
 * that leave the judgement to the kernel, which also counts the bad ones.
 */
static inline uint64_t raw_offset(const struct shmz *z, const void *p)
{
	return (uintptr_t)p - (uintptr_t)z->base;
}

/* A constant where there is but one size of pages. */
static inline unsigned int page_shift(const struct shmz *z)
{
#ifdef __x86_64__
	(void)z;
	return 12;
#else
	return z->page_shift;
#endif
}

/* The page map's entry of the page of @offset, which lies inside the zone. */
static inline uint32_t page_entry(const struct shmz *z, uint64_t offset)
{
	return __atomic_load_n(&z->page_map[offset >> page_shift(z)],
			       __ATOMIC_RELAXED);
}

#endif
