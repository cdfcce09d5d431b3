/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Internals of libshmzone.
 *
 * A handle is written once, before anyone else sees it, and only read from then
 * on. Together with the absence of global state this is all there is to say
 * about threads and fork: no locks, no handlers.
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

/*
 * Map what lies at mmap offset @at of a zone descriptor, shared: at *@area, in
 * place of what is there, or where the kernel likes if that is NULL.
 */
int lib_map(int fd, void **area, size_t bytes, int prot, uint64_t at);
void lib_unmap(void *area, size_t bytes);

/* Put zeros of this process's own in place of what is mapped there. */
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

/* The page map's entry of the page of @offset, which lies inside the zone. */
static inline uint32_t page_entry(const struct shmz *z, uint64_t offset)
{
	return z->page_map[offset >> z->page_shift];
}

#endif
