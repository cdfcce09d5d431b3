// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Objects one at a time.
 *
 * Every way to allocate ends in alloc_by(), every way to free in release(). Both
 * are a system call for now; when threads get a stock of free slots of their
 * own, these two are where it is looked into first.
 */
#include <stdbool.h>
#include <string.h>

#include "lib.h"

/* One object; the rest of @args says in which way. */
static void *alloc_by(struct shmz *z, size_t bytes, struct shmzone_alloc *args)
{
	uint64_t offset = 0;
	int ret;

	args->size = sizeof(*args);
	args->bytes = at_least_one(bytes);
	args->offsets = (uintptr_t)&offset;
	args->count = 1;
	ret = lib_ioctl(z->fd, SHMZONE_ALLOC, args);
	return ret ? fail(ret) : z->base + offset;
}

static void *alloc(struct shmz *z, size_t bytes, uint32_t align, uint32_t group)
{
	struct shmzone_alloc args = { .align = align, .group = group };

	return alloc_by(z, bytes, &args);
}

/* @bytes 0: of any size. */
static int release(struct shmz *z, const void *p, uint64_t bytes)
{
	uint64_t offset = raw_offset(z, p);
	struct shmzone_free args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.bytes = bytes,
	};

	return lib_ioctl(z->fd, SHMZONE_FREE, &args);
}

void *shmz_alloc_group(struct shmz *z, size_t bytes, unsigned int group)
{
	return alloc(z, bytes, 0, group);
}

void *shmz_alloc(struct shmz *z, size_t bytes)
{
	return alloc(z, bytes, 0, 0);
}

void *shmz_alloc_wait_group(struct shmz *z, size_t bytes, uint64_t timeout_ns,
			    unsigned int group)
{
	struct shmzone_alloc args = {
		.flags = SHMZONE_ALLOC_WAIT,
		.group = group,
		/* To the kernel 0 is for ever. */
		.timeout_ns = timeout_ns == SHMZ_FOREVER ? 0 : timeout_ns,
	};

	if (!timeout_ns)
		args.flags = 0;
	return alloc_by(z, bytes, &args);
}

void *shmz_alloc_wait(struct shmz *z, size_t bytes, uint64_t timeout_ns)
{
	return shmz_alloc_wait_group(z, bytes, timeout_ns, 0);
}

void *shmz_zalloc_group(struct shmz *z, size_t bytes, unsigned int group)
{
	void *p = alloc(z, bytes, 0, group);

	return p ? memset(p, 0, bytes) : NULL;
}

void *shmz_zalloc(struct shmz *z, size_t bytes)
{
	return shmz_zalloc_group(z, bytes, 0);
}

void *shmz_calloc_group(struct shmz *z, size_t n, size_t bytes,
			unsigned int group)
{
	size_t sum;

	if (__builtin_mul_overflow(n, bytes, &sum))
		return fail(-ENOMEM);
	return shmz_zalloc_group(z, sum, group);
}

void *shmz_calloc(struct shmz *z, size_t n, size_t bytes)
{
	return shmz_calloc_group(z, n, bytes, 0);
}

void *shmz_aligned_alloc_group(struct shmz *z, size_t align, size_t bytes,
			       unsigned int group)
{
	/* To the kernel 0 is the default, and it sees only 32 bits. */
	if (!align || align > UINT32_MAX)
		return fail(-EINVAL);
	return alloc(z, bytes, align, group);
}

void *shmz_aligned_alloc(struct shmz *z, size_t align, size_t bytes)
{
	return shmz_aligned_alloc_group(z, align, bytes, 0);
}

int shmz_free(struct shmz *z, void *p)
{
	return p ? release(z, p, 0) : 0;
}

int shmz_free_sized(struct shmz *z, void *p, size_t bytes)
{
	return p ? release(z, p, at_least_one(bytes)) : 0;
}

static size_t span_bytes(const struct shmz *z, uint64_t offset)
{
	struct shmzone_query args = { .size = sizeof(args), .offset = offset };

	return lib_ioctl(z->fd, SHMZONE_QUERY, &args) ? 0 : args.out_bytes;
}

size_t shmz_usable_size(const struct shmz *z, const void *p)
{
	uint64_t offset = shmz_offset(z, p);
	uint32_t entry;

	if (!offset)
		return 0;
	entry = page_entry(z, offset);
	switch (SHMZONE_PAGE_KIND(entry)) {
	case SHMZONE_KIND_SLAB:
		return z->class[SHMZONE_PAGE_CLASS(entry)].slot_bytes;
	case SHMZONE_KIND_SPAN:
		return span_bytes(z, offset);
	default:
		return 0;
	}
}

/*
 * Would an object of @bytes be given a slot or span of just this size? Only
 * then may it stay where it is: shmz_free_sized() relies on it.
 */
static bool fits(const struct shmz *z, uint32_t entry, size_t usable,
		 size_t bytes)
{
	uint32_t class = SHMZONE_PAGE_CLASS(entry);

	if (bytes > usable)
		return false;
	if (SHMZONE_PAGE_KIND(entry) == SHMZONE_KIND_SLAB)
		return bytes > z->class[class - 1].slot_bytes;
	return bytes > z->slot_bytes_max && !((usable - bytes) >> z->page_shift);
}

static void *move(struct shmz *z, void *p, size_t copy, size_t bytes,
		  uint32_t group)
{
	void *to = alloc(z, bytes, 0, group);
	int ret;

	if (!to)
		return NULL;
	memcpy(to, p, copy);
	ret = release(z, p, 0);
	if (!ret)
		return to;
	/* @p was no live object after all: undo. */
	release(z, to, 0);
	return fail(ret);
}

void *shmz_realloc(struct shmz *z, void *p, size_t bytes)
{
	size_t usable;
	uint32_t entry;

	if (!p)
		return shmz_alloc(z, bytes);
	usable = shmz_usable_size(z, p);
	if (!usable)
		return fail(-EINVAL);
	entry = page_entry(z, raw_offset(z, p));
	if (fits(z, entry, usable, at_least_one(bytes)))
		return p;
	return move(z, p, bytes < usable ? bytes : usable, bytes,
		    SHMZONE_PAGE_GROUP(entry));
}
