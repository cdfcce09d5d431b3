// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a zone: bringing pages in, and giving them back.
 *
 * Committed zones. What is to become a slab or span is brought in while it is
 * prepared, before anybody is told of it, so that a shortage fails the ALLOC
 * and nothing later. The pages are made dirty at once: reclaim drops clean ones,
 * as there is nothing to lose, and the next touch would have to find memory
 * again. From then on they can be swapped out, but not lost. Pages of a run that
 * is used again may be in swap, and come back in, or are replaced if they cannot.
 *
 * A shortage must not kill anybody: __GFP_RETRY_MAYFAIL is what keeps both the
 * page allocator and the memory cgroup from calling the OOM killer. (Page tables
 * are not the zone's: who touches pays for them as for any other memory.)
 *
 * All of this works on a run that nobody else has: the heap has it busy.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "shmzone.h"

/**
 * zone_punch() - give the memory of a run back to the system
 * @zone: the zone
 * @first: first page
 * @n: how many; may be 0
 *
 * Without the inode's lock, which is taken around reclaim in places: nothing
 * else that it serialises happens to this inode.
 *
 * Context: may sleep; the caller holds no lock.
 */
void zone_punch(struct shmzone *zone, u64 first, u64 n)
{
	u64 start = first << PAGE_SHIFT, bytes = n << PAGE_SHIFT;

	if (!n)
		return;
	/*
	 * At once, where page by page would take longer; and with what marks
	 * poisoned pages, which only goes with private copies. There are none.
	 */
	unmap_mapping_range(zone->data->f_mapping, start, bytes, 1);
	shmem_truncate_range(file_inode(zone->data), start, start + bytes - 1);
}

static struct page *bring_in(struct shmzone *zone, u64 index)
{
	struct address_space *mapping = zone->data->f_mapping;
	gfp_t gfp = mapping_gfp_mask(mapping) | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	struct page *page = shmem_read_mapping_page_gfp(mapping, index, gfp);

	if (page != ERR_PTR(-EIO))
		return page;
	/*
	 * Poisoned, or lost in swap. What it held is nobody's; if it stayed, every
	 * ALLOC that finds this run would fail.
	 */
	zone_punch(zone, index, 1);
	return shmem_read_mapping_page_gfp(mapping, index, gfp);
}

static int commit_page(struct shmzone *zone, u64 index)
{
	struct page *page;
	int ret = 0;

	if (fatal_signal_pending(current))
		return -EINTR;
	page = bring_in(zone, index);
	/* It has several names for what is a shortage to the caller. */
	if (IS_ERR(page))
		return PTR_ERR(page) == -EINTR ? -EINTR : -ENOMEM;
	if (zone_is(zone, SHMZONE_CREATE_STRICT) && strict_refuse_huge(page))
		ret = -ENOMEM;
	else
		set_page_dirty(page);
	put_page(page);
	return ret;
}

/**
 * zone_commit() - bring the memory of a run in
 * @zone: the zone
 * @first: first page of a run that is being prepared
 * @n: how many
 *
 * Context: may sleep; the caller holds no lock.
 * Return: 0, -ENOMEM or -EINTR, and then none of it is kept.
 */
int zone_commit(struct shmzone *zone, u64 first, u64 n)
{
	int ret = 0;
	u64 done;

	for (done = 0; done < n; done++) {
		ret = commit_page(zone, first + done);
		if (ret) {
			zone_punch(zone, first, done);
			break;
		}
		cond_resched();
	}
	return ret;
}
