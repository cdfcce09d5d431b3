/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Internals of libshmzone.
 *
 * A handle is written once, before anyone else sees it, and only read from then
 * on. Together with the absence of global state this is all there is to say
 * about threads and fork: no handlers, and no locks but those of the caller's. (A
 * thread remembers where in the table of a reader-writer lock it was last.)
 *
 * Inside the library results are 0 or -errno, and errno itself is set in
 * exactly one place, fail().
 */
#ifndef LIBSHMZONE_LIB_H
#define LIBSHMZONE_LIB_H

#include <errno.h>

#include "shmzone.h"

/* The class in a page map entry has six bits: no index can be out of range. */
#define CLASS_MAX	64

struct shmz {
	int fd;
	unsigned int page_shift;
	unsigned int slot_bytes_max;
	char *base;
	uint64_t bytes;
	const volatile uint32_t *page_map;
	struct shmzone_class class[CLASS_MAX];
};

/* ioctl(2) that returns -errno and leaves errno alone. */
int lib_ioctl(int fd, unsigned long cmd, void *arg);

/* The same on /dev/shmzone, opened for this one call. */
int lib_control(unsigned long cmd, void *arg);

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

/* The page map's entry of the page of @offset, which lies inside the zone. */
static inline uint32_t page_entry(const struct shmz *z, uint64_t offset)
{
	return z->page_map[offset >> z->page_shift];
}

#endif
