// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many objects in one go.
 *
 * What the cache has, or has room for, comes first. If few are lacking then, the
 * cache is refilled, or drained, once: so it grows until it serves batches of this
 * length by itself. All that is left is done by one call, which is cheaper than one
 * for each half of a cache's bin.
 *
 * The kernel takes and gives arrays of offsets, of limited length. Longer
 * batches are done in rounds. A round of allocations that falls short is the
 * last one.
 */
#include <string.h>

#include "cache.h"

/* Offsets on the stack of shmz_free_batch(): a page of them. */
#define FREE_ROUND	512

/* Objects that are few: no more than a refill may bring. */
#define FEW	64

_Static_assert(FREE_ROUND <= SHMZONE_BATCH_MAX, "a round is one call");
_Static_assert(sizeof(void *) == sizeof(uint64_t),
	       "offsets are turned into pointers in place");

static uint32_t round_length(size_t left, uint32_t max)
{
	return left < max ? left : max;
}

/* The kernel writes offsets into @out; pointers take their place. */
static int alloc_round(struct shmz *z, struct shmzone_alloc *args, void **out)
{
	uint64_t offset;
	uint32_t i;
	int ret;

	args->offsets = (uintptr_t)out;
	ret = client_ioctl(z, SHMZONE_ALLOC, args);
	if (ret)
		return ret;
	for (i = 0; i < args->out_count; i++) {
		memcpy(&offset, &out[i], sizeof(offset));
		out[i] = z->base + offset;
	}
	return 0;
}

/* As many as the cache has, up to @n; like cache_pop(). */
static size_t pop_many(const struct shmz *z, uint32_t class, uint32_t group,
		       void **out, size_t n)
{
	struct shmzone_cache_head *c = own_cache(z);
	struct shmzone_bin *b = bin_of(c, class, group);
	const uint64_t *words = (const uint64_t *)c;
	uint32_t key = c->key, cur;
	size_t done = 0;
	uintptr_t p;

	if (!is_idle(key))
		return 0;
	cache_begin(c, SHMZONE_CACHE_BUSY);
	cur = b->cur;
	while (done < n && !__builtin_add_overflow((uintptr_t)z->base, words[cur], &p)) {
		out[done] = (void *)p;
		cur--;
		done++;
	}
	b->cur = cur;
	cache_end(c, key);
	return done;
}

static size_t alloc_cached(struct shmz *z, size_t bytes, uint32_t group,
			   void **out, size_t n)
{
	uint32_t class = class_of(z, bytes);
	size_t done = pop_many(z, class, group, out, n);

	if (done == n || n - done > FEW || class == SHMZONE_CLASS_SPAN)
		return done;
	if (cache_refill(z, class, group, &out[done]))
		return done;
	done++;
	return done + pop_many(z, class, group, out + done, n - done);
}

ssize_t shmz_alloc_batch_group(struct shmz *z, size_t bytes, void **out,
			       size_t n, unsigned int group)
{
	struct shmzone_alloc args = {
		.size = sizeof(args),
		.bytes = at_least_one(bytes),
		.group = group,
	};
	size_t done = 0;
	int ret;

	if (group < SHMZONE_GROUPS)
		done = alloc_cached(z, bytes, group, out, n);
	while (done < n) {
		args.count = round_length(n - done, SHMZONE_BATCH_MAX);
		ret = alloc_round(z, &args, out + done);
		if (ret)
			return done ? (ssize_t)done : ret;
		done += args.out_count;
		if (args.out_count < args.count)
			break;
	}
	return done;
}

ssize_t shmz_alloc_batch(struct shmz *z, size_t bytes, void **out, size_t n)
{
	return shmz_alloc_batch_group(z, bytes, out, n, 0);
}

/*
 * struct leftover - what the cache did not take
 * @args: the call for it
 * @freed: objects that are freed, by the cache too
 * @error: the first one
 * @offset: what to free
 */
struct leftover {
	struct shmzone_free args;
	size_t freed;
	int error;
	uint64_t offset[FREE_ROUND];
};

static void free_left(struct shmz *z, struct leftover *left)
{
	int ret;

	if (!left->args.count)
		return;
	ret = lib_ioctl(z->fd, SHMZONE_FREE, &left->args);
	if (!ret)
		left->freed += left->args.out_count;
	else if (!left->error)
		left->error = ret;
	left->args.count = 0;
}

/* Whether the cache takes it, of whichever group it is. */
static bool free_cached(struct shmz *z, uint64_t offset, bool *may_drain)
{
	struct shmzone_cache_head *c = own_cache(z);
	uint32_t entry, key, class, group;

	if (!is_plausible(z, offset))
		return false;
	entry = page_entry(z, offset);
	if (SHMZONE_PAGE_KIND(entry) != SHMZONE_KIND_SLAB)
		return false;
	class = SHMZONE_PAGE_CLASS(entry);
	group = SHMZONE_PAGE_GROUP(entry);
	key = c->key;
	/* What another one owns is the kernel's to refuse, before it is used again. */
	if (is_own(entry, key) && cache_push(c, bin_of(c, class, group), offset, key))
		return true;
	if (!*may_drain)
		return false;
	*may_drain = false;
	return !cache_drain(z, entry, offset);
}

ssize_t shmz_free_batch(struct shmz *z, void *const *ptrs, size_t n)
{
	struct leftover left;
	/* In checked zones the kernel looks at them in any case. */
	bool may_drain = n <= FEW && !z->checked;
	uint64_t offset;
	size_t i;

	left.args = (struct shmzone_free){
		.size = sizeof(left.args),
		.offsets = (uintptr_t)left.offset,
	};
	left.freed = 0;
	left.error = 0;
	for (i = 0; i < n; i++) {
		offset = raw_offset(z, ptrs[i]);
		if (free_cached(z, offset, &may_drain)) {
			left.freed++;
			continue;
		}
		left.offset[left.args.count] = offset;
		left.args.count++;
		if (left.args.count == FREE_ROUND)
			free_left(z, &left);
	}
	free_left(z, &left);
	return left.freed ? (ssize_t)left.freed : left.error;
}
