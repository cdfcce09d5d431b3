// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many objects in one go.
 *
 * A few go through the cache, one by one; where there are many, one call for all
 * is cheaper than one for each half of a cache's bin.
 *
 * The kernel takes and gives arrays of offsets, of limited length. Longer
 * batches are done in rounds. A round of allocations that falls short is the
 * last one.
 */
#include <string.h>

#include "cache.h"

/* Offsets on the stack of shmz_free_batch(): a page of them. */
#define FREE_ROUND	512

/* Objects that are few. */
#define FEW	32

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
	ret = lib_ioctl(z->fd, SHMZONE_ALLOC, args);
	if (ret)
		return ret;
	for (i = 0; i < args->out_count; i++) {
		memcpy(&offset, &out[i], sizeof(offset));
		out[i] = z->base + offset;
	}
	return 0;
}

ssize_t shmz_alloc_batch_group(struct shmz *z, size_t bytes, void **out,
			       size_t n, unsigned int group)
{
	struct shmzone_alloc args = {
		.size = sizeof(args),
		.bytes = at_least_one(bytes),
		.group = group,
	};
	uint64_t offset;
	size_t done = 0;
	int ret;

	/* What is in the cache, without asking for more. */
	while (n <= FEW && done < n && group < SHMZONE_GROUPS) {
		if (!cache_alloc(z, bytes, group, &offset))
			break;
		out[done] = z->base + offset;
		done++;
	}
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

static int free_round(struct shmz *z, struct shmzone_free *args,
		      void *const *ptrs)
{
	uint64_t offsets[FREE_ROUND];
	uint32_t i;

	for (i = 0; i < args->count; i++)
		offsets[i] = raw_offset(z, ptrs[i]);
	args->offsets = (uintptr_t)offsets;
	return lib_ioctl(z->fd, SHMZONE_FREE, args);
}

/* One by one. */
static ssize_t free_few(struct shmz *z, void *const *ptrs, size_t n)
{
	size_t i, freed = 0;
	int ret, err = 0;

	for (i = 0; i < n; i++) {
		ret = ptrs[i] ? shmz_free(z, ptrs[i]) :
				free_by_call(z, raw_offset(z, NULL), 0);
		if (!ret)
			freed++;
		else if (!err)
			err = ret;
	}
	return freed ? (ssize_t)freed : err;
}

ssize_t shmz_free_batch(struct shmz *z, void *const *ptrs, size_t n)
{
	struct shmzone_free args = { .size = sizeof(args) };
	size_t done = 0, freed = 0;
	int ret, err = 0;

	if (n <= FEW && z->slot != SLOT_NONE)
		return free_few(z, ptrs, n);
	for (; done < n; done += args.count) {
		args.count = round_length(n - done, FREE_ROUND);
		ret = free_round(z, &args, ptrs + done);
		if (!ret)
			freed += args.out_count;
		else if (!err)
			err = ret;
	}
	return freed ? (ssize_t)freed : err;
}
