// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Objects one at a time.
 *
 * Every way to allocate tries the cache and ends in alloc_by(), every way
 * to free tries cache_free() and ends in free_slow(). The slow ones first look
 * for what a cache may still do, with the kernel's help, and then do it by plain
 * system calls, which is also all there is for spans, and for frees that look
 * wrong: the kernel judges those, and counts them.
 */
#include <stdbool.h>
#include <string.h>

#include "cache.h"

#define noinline __attribute__((noinline))

/* By a system call; the rest of @args says in which way. */
static void *alloc_by_call(struct shmz *z, size_t bytes,
			   struct shmzone_alloc *args)
{
	uint64_t offset = 0;
	int ret;

	args->size = sizeof(*args);
	args->bytes = at_least_one(bytes);
	args->offsets = (uintptr_t)&offset;
	args->count = 1;
	ret = client_ioctl(z, SHMZONE_ALLOC, args);
	return ret ? fail(ret) : z->base + offset;
}

/* The rest of @args as above; waiting is for ENOMEM. */
static void *alloc_by(struct shmz *z, size_t bytes, uint32_t class,
		      struct shmzone_alloc *args)
{
	int ret = -EAGAIN;
	void *p;

	if (class != SHMZONE_CLASS_SPAN)
		ret = cache_refill(z, class, args->group, &p);
	if (!ret)
		return p;
	if (ret == -EAGAIN || (ret == -ENOMEM && args->flags))
		return alloc_by_call(z, bytes, args);
	return fail(ret);
}

/* Of any size, in any group. */
static noinline void *alloc_any(struct shmz *z, size_t bytes, uint32_t group)
{
	struct shmzone_alloc args = { .group = group };
	void *p;

	if (group >= SHMZONE_GROUPS)
		return alloc_by_call(z, bytes, &args);
	if (cache_alloc(z, bytes, group, &p))
		return p;
	return alloc_by(z, bytes, class_of(z, bytes), &args);
}

/* Of more than the first table has, or 0 bytes, in group 0. */
static noinline void *alloc_large(struct shmz *z, size_t bytes)
{
	size_t step = (bytes - 1) / LARGE_STEP;
	void *p;

	if (likely(step < LARGE_STEPS) && likely(cache_pop(z, own_cache(z), z->large[step], &p)))
		return p;
	return alloc_any(z, bytes, 0);
}

/* Of the class of a bin of group 0 which has, or had, nothing for it. */
static noinline void *alloc_refilled(struct shmz *z, size_t place)
{
	struct shmzone_alloc args = { .group = 0 };
	uint32_t class = place - SHMZONE_CACHE_BIN_WORD;

	return alloc_by(z, z->class[class].slot_bytes, class, &args);
}

static always_inline void *alloc(struct shmz *z, size_t bytes, uint32_t group)
{
	struct shmzone_cache_head *c = own_cache(z);
	size_t step = (bytes - 1) / SMALL_STEP, place;
	void *p;

	keep(step);
	if (unlikely(group))
		return alloc_any(z, bytes, group);
	if (unlikely(step >= SMALL_STEPS))
		return alloc_large(z, bytes);
	place = z->small[step];
	return likely(cache_pop(z, c, place, &p)) ? p : alloc_refilled(z, place);
}

begins_a_line void *shmz_alloc(struct shmz *z, size_t bytes)
{
	return alloc(z, bytes, 0);
}

void *shmz_alloc_group(struct shmz *z, size_t bytes, unsigned int group)
{
	return alloc(z, bytes, group);
}

/* What an object of @bytes that was just allocated may use. */
static size_t usable_for(const struct shmz *z, size_t bytes)
{
	uint32_t class = class_of(z, bytes);
	size_t page = (size_t)1 << page_shift(z);

	if (class != SHMZONE_CLASS_SPAN)
		return z->class[class].slot_bytes;
	return (bytes + page - 1) & ~(page - 1);
}

void *shmz_alloc_at_least_group(struct shmz *z, size_t bytes, size_t *usable,
				unsigned int group)
{
	void *p = alloc(z, bytes, group);

	if (p)
		*usable = usable_for(z, bytes);
	return p;
}

void *shmz_alloc_at_least(struct shmz *z, size_t bytes, size_t *usable)
{
	return shmz_alloc_at_least_group(z, bytes, usable, 0);
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
	void *p;

	if (!timeout_ns || group >= SHMZONE_GROUPS)
		return alloc(z, bytes, group);
	if (cache_alloc(z, bytes, group, &p))
		return p;
	return alloc_by(z, bytes, class_of(z, bytes), &args);
}

void *shmz_alloc_wait(struct shmz *z, size_t bytes, uint64_t timeout_ns)
{
	return shmz_alloc_wait_group(z, bytes, timeout_ns, 0);
}

static always_inline void *zalloc(struct shmz *z, size_t bytes, uint32_t group)
{
	void *p = alloc(z, bytes, group);

	return likely(p) ? memset(p, 0, bytes) : NULL;
}

void *shmz_zalloc_group(struct shmz *z, size_t bytes, unsigned int group)
{
	return zalloc(z, bytes, group);
}

void *shmz_zalloc(struct shmz *z, size_t bytes)
{
	return zalloc(z, bytes, 0);
}

static always_inline void *zalloc_array(struct shmz *z, size_t n, size_t bytes,
					uint32_t group)
{
	size_t sum;

	if (unlikely(__builtin_mul_overflow(n, bytes, &sum)))
		return fail(-ENOMEM);
	return zalloc(z, sum, group);
}

void *shmz_calloc_group(struct shmz *z, size_t n, size_t bytes,
			unsigned int group)
{
	return zalloc_array(z, n, bytes, group);
}

void *shmz_calloc(struct shmz *z, size_t n, size_t bytes)
{
	return zalloc_array(z, n, bytes, 0);
}

/*
 * The size of the smallest slots that hold @bytes and are all aligned; 0 if
 * there are none. The kernel chooses the same.
 */
static size_t aligned_bytes(const struct shmz *z, size_t align, size_t bytes)
{
	uint32_t class = class_of(z, bytes < align ? align : bytes);

	if (class == SHMZONE_CLASS_SPAN)
		return 0;
	while (class < CLASS_MAX && z->class[class].slot_bytes & (align - 1))
		class++;
	return class < CLASS_MAX ? z->class[class].slot_bytes : 0;
}

void *shmz_aligned_alloc_group(struct shmz *z, size_t align, size_t bytes,
			       unsigned int group)
{
	struct shmzone_alloc args = { .align = align, .group = group };
	size_t slot;

	/* To the kernel 0 is the default, and it sees only 32 bits. */
	if (!align || align > UINT32_MAX)
		return fail(-EINVAL);
	if (align & (align - 1) || align >> page_shift(z) > 1)
		return fail(-EINVAL);
	slot = aligned_bytes(z, align, bytes);
	return slot ? alloc(z, slot, group) : alloc_by_call(z, bytes, &args);
}

void *shmz_aligned_alloc(struct shmz *z, size_t align, size_t bytes)
{
	return shmz_aligned_alloc_group(z, align, bytes, 0);
}

int free_by_call(struct shmz *z, uint64_t offset, uint64_t bytes)
{
	struct shmzone_free args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.bytes = bytes,
	};

	return lib_ioctl(z->fd, SHMZONE_FREE, &args);
}

/* The same; a size is compared with the page map's word here. */
static noinline int free_slow(struct shmz *z, const void *p, uint64_t bytes)
{
	uint64_t offset = raw_offset(z, p);
	uint32_t entry = 0, class;

	if (!p)
		return 0;
	if (is_plausible(z, offset))
		entry = page_entry(z, offset);
	class = SHMZONE_PAGE_CLASS(entry);
	if (SHMZONE_PAGE_KIND(entry) == SHMZONE_KIND_SLAB &&
	    (!bytes || class_of(z, bytes) == class) &&
	    !cache_drain(z, entry, offset))
		return 0;
	return free_by_call(z, offset, bytes);
}

static always_inline int free_one(struct shmz *z, void *p)
{
	return likely(cache_free(z, p)) ? 0 : free_slow(z, p, 0);
}

begins_a_line int shmz_free(struct shmz *z, void *p)
{
	return free_one(z, p);
}

begins_a_line int shmz_free_sized(struct shmz *z, void *p, size_t bytes)
{
	return likely(cache_free_sized(z, p, bytes)) ? 0 :
	       free_slow(z, p, at_least_one(bytes));
}

static int query(const struct shmz *z, const void *p, struct shmzone_query *args)
{
	*args = (struct shmzone_query){
		.size = sizeof(*args),
		.offset = raw_offset(z, p),
	};
	return lib_ioctl(z->fd, SHMZONE_QUERY, args);
}

/* What the page map has for an object; 0 outside of the zone, too. */
static always_inline uint32_t entry_of(const struct shmz *z, const void *p)
{
	uint64_t offset = raw_offset(z, p);

	return likely(offset < z->bytes) ? page_entry(z, offset) : 0;
}

static always_inline size_t usable_by(const struct shmz *z, const void *p, uint32_t entry)
{
	struct shmzone_query args;

	switch (SHMZONE_PAGE_KIND(entry)) {
	case SHMZONE_KIND_SLAB:
	case SHMZONE_KIND_MIXED:
		return z->class[SHMZONE_PAGE_CLASS(entry)].slot_bytes;
	case SHMZONE_KIND_SPAN:
		return query(z, p, &args) ? 0 : args.out_bytes;
	default:
		return 0;
	}
}

size_t shmz_usable_size(const struct shmz *z, const void *p)
{
	return usable_by(z, p, entry_of(z, p));
}

int shmz_group_of(const struct shmz *z, const void *p)
{
	uint32_t entry = entry_of(z, p);

	return SHMZONE_PAGE_KIND(entry) ? (int)SHMZONE_PAGE_GROUP(entry) :
					  -EINVAL;
}

int shmz_is_allocation(const struct shmz *z, const void *p)
{
	struct shmzone_query args;
	int ret = query(z, p, &args);

	return ret == -EINVAL ? 0 : ret ? ret : 1;
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
	if (SHMZONE_PAGE_KIND(entry) != SHMZONE_KIND_SPAN)
		return bytes > z->class[class - 1].slot_bytes;
	return bytes > z->slot_bytes_max && !((usable - bytes) >> page_shift(z));
}

static void *move(struct shmz *z, void *p, size_t copy, size_t bytes,
		  uint32_t group)
{
	void *to = alloc(z, bytes, group);
	int ret;

	if (!to)
		return NULL;
	memcpy(to, p, copy);
	ret = free_one(z, p);
	if (likely(!ret))
		return to;
	/* @p was no live object after all: undo. */
	free_one(z, to);
	return fail(ret);
}

/* @entry: what the page map has for @p, or anything if there is none. */
static always_inline void *resize(struct shmz *z, void *p, uint32_t entry, size_t bytes,
				  uint32_t group)
{
	size_t usable;

	if (!p)
		return alloc(z, bytes, group);
	usable = usable_by(z, p, entry);
	if (unlikely(!usable) || unlikely(group >= SHMZONE_GROUPS))
		return fail(-EINVAL);
	if (SHMZONE_PAGE_GROUP(entry) == group &&
	    fits(z, entry, usable, at_least_one(bytes)))
		return p;
	return move(z, p, bytes < usable ? bytes : usable, bytes, group);
}

void *shmz_realloc_group(struct shmz *z, void *p, size_t bytes,
			 unsigned int group)
{
	return resize(z, p, entry_of(z, p), bytes, group);
}

void *shmz_realloc(struct shmz *z, void *p, size_t bytes)
{
	uint32_t entry = entry_of(z, p);

	return resize(z, p, entry, bytes, SHMZONE_PAGE_GROUP(entry));
}
