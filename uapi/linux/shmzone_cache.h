/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: caches, the stocks of free slots that threads allocate from without
 * a system call. A part of <linux/shmzone.h>, which includes it and has the
 * conventions and the numbers of all commands.
 */
#ifndef _LINUX_SHMZONE_CACHE_H
#define _LINUX_SHMZONE_CACHE_H

#include <linux/types.h>

/**
 * DOC: caches
 *
 * A process may map *caches* of a zone from a descriptor that is open for
 * writing: shared, readable and writable, from %SHMZONE_MMAP_CACHES on, a
 * multiple of %SHMZONE_CACHE_BYTES, up to %SHMZONE_CACHES_MAX caches, whose index
 * is their place in the mapping. A process has one such mapping of a zone at a
 * time (EBUSY), which makes it a *client* of the zone. The mapping cannot be
 * split, moved or grown, and is not dumped. A child of fork(2) inherits the
 * address range, but begins with caches of its own, which are all zero; the
 * parent's are not touched. Unmapping, exec(2) and the end of the process,
 * whatever it is, return what its caches hold. How many clients a user may be is
 * bounded by the module's parameter user_clients_max, and the kernel's memory
 * that they and their caches take by user_cache_bytes_max: EDQUOT. Programs of 32
 * bits have no file offset as large, and do without caches.
 *
 * The kernel brings the pages of a cache in as they are needed: with CACHE_REFILL
 * and CACHE_DRAIN, where a shortage is ENOMEM or EDQUOT, or when they are
 * touched, where it is SIGBUS. So is the first touch by a child that has mapped
 * caches of the zone once more before that, or may not be a client.
 *
 * A cache begins with a struct shmzone_cache. The words after it hold offsets
 * of free slots. A *bin* is a class and group, whose words lie from its @base
 * to before its @end, and are in use to before its @cur, counted in __u64 from
 * the beginning of the cache. To allocate is to take the last word in use, to
 * free is to add one:
 *
 *	allocate: if cur == base, CACHE_REFILL; else take word[--cur]
 *	free:     if cur == end, CACHE_DRAIN; else word[cur++] = offset
 *
 * This is for one thread at a time, which is the business of the process: what
 * threads do to the caches of their own process can hurt no other one more than
 * frees of wrong offsets can. A cache is the thread's that called CACHE_REFILL or
 * CACHE_DRAIN for it last, and another one begins with either.
 *
 * From before it reads @cur to after it has written it, the thread keeps @busy at
 * 1, else at 0: by that the kernel knows whether it may take back the stock of a
 * cache, which it does when the cache has not been used for a while, or when
 * memory is short. (The kernel makes the page of struct shmzone_cache inaccessible
 * first. A thread that stores to @busy then waits in a page fault until the kernel
 * is done.) A thread that finds @busy at 1 has interrupted itself, by a signal, and
 * has to leave the cache alone. That of a thread that has ended counts as 0, and
 * the kernel makes it so.
 *
 * In a cache that was never used, or was given up, all bins are empty and full
 * at the same time, so that everything leads to CACHE_REFILL or CACHE_DRAIN,
 * which set it up. Capacities (@end - @base) begin small and grow as these
 * are called; they are bounded by %SHMZONE_CACHE_STOCK_MAX bytes of slots a
 * cache, and together by a part of the zone's limit, of which a process can have
 * as much as it leaves to others. Where others came since, they begin anew.
 *
 * Bin n of n < %SHMZONE_CLASSES is class n in group 0. Those of other groups are
 * made when they are first asked for, as far as there is room; @bin_of has
 * them. Bin 0 has no class and never any capacity.
 *
 * To the rest of the zone a slot in a cache is allocated. QUERY finds it and
 * FREE frees it (so that the cache's word for it is wrong). What the kernel
 * finds in a cache is checked as an offset given to FREE is.
 */

/* Where caches begin among the mmap offsets of a zone descriptor. */
#define SHMZONE_MMAP_CACHES	(1ULL << 49)

/* Bytes of a cache. */
#define SHMZONE_CACHE_BYTES	65536

/* Caches of a process in a zone at most. */
#define SHMZONE_CACHES_MAX	4096

/* Bins of a cache, bin 0 included. */
#define SHMZONE_CACHE_BINS	128

/* The first word that is an offset; struct shmzone_cache ends before it. */
#define SHMZONE_CACHE_FIRST_WORD 512

/* Bytes of slots that the bins of a cache have room for at most. */
#define SHMZONE_CACHE_STOCK_MAX	(1U << 20)

/**
 * struct shmzone_bin - one bin of a cache
 * @cur: word after the last in use
 * @base: its first word; the kernel sets it, and never believes it
 * @end: word after its last; the same
 * @__reserved: zero
 */
struct shmzone_bin {
	__u32 cur;
	__u32 base;
	__u32 end;
	__u32 __reserved;
};

/**
 * struct shmzone_cache - the head of a cache
 * @__reserved: zero
 * @bin: the bins
 * @bin_of: bin of a group and class, or 0; set by the kernel alone
 * @busy: 1 while the thread is at work on it
 * @__reserved_busy: zero
 * @page_entry: what the page map has, with the class as 0, for slabs whose slots
 *              bin @class is for: free slots of other pages by FREE, or by
 *              @bin_of. 0 in a cache that is not set up.
 * @__reserved_entry: zero
 *
 * @busy has a cache line of its own, and not the first of a page: processors
 * look at the place in a page first when they look for a store that a load has
 * to wait for, and the first is where large objects begin.
 */
struct shmzone_cache {
	__aligned_u64 __reserved[8];
	struct shmzone_bin bin[SHMZONE_CACHE_BINS];
	__u8 bin_of[16][64];
	__u32 busy;
	__u32 __reserved_busy[13];
	__u32 page_entry;
	__u32 __reserved_entry;
};

/**
 * struct shmzone_cache_refill - ioctl(SHMZONE_CACHE_REFILL): fill a bin
 * @size: sizeof(struct shmzone_cache_refill)
 * @flags: must be 0
 * @cache: index of the cache in the caller's mapping
 * @size_class: class of the bin, not %SHMZONE_CLASS_SPAN
 * @group: its group
 * @__reserved: must be 0
 * @out_bin: the bin
 * @out_count: slots that were put into it
 *
 * Makes the bin if there is none, lets its capacity grow, and adds free slots
 * to it, at least one. Does as ALLOC otherwise: ENOMEM, EPERM and EINTR.
 *
 * ENXIO: the caller has no such cache. EBUSY: the cache is busy. ENOSPC: there
 * is no room for the bin, or it has no capacity and may have none now, as while
 * somebody waits for memory: use ALLOC.
 */
struct shmzone_cache_refill {
	__u32 size;
	__u32 flags;
	__u32 cache;
	__u32 size_class;
	__u32 group;
	__u32 __reserved;
	__u32 out_bin;
	__u32 out_count;
};

#define SHMZONE_CACHE_REFILL_SIZE_VER0 32
#define SHMZONE_CACHE_REFILL	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CACHE_REFILL)

/* All bins of the cache, and all that they hold. */
#define SHMZONE_CACHE_DRAIN_ALL	(1U << 0)

/**
 * struct shmzone_cache_drain - ioctl(SHMZONE_CACHE_DRAIN): make room in a bin
 * @size: sizeof(struct shmzone_cache_drain)
 * @flags: 0 or %SHMZONE_CACHE_DRAIN_ALL
 * @cache: index of the cache in the caller's mapping
 * @size_class: class of the bin; with %SHMZONE_CACHE_DRAIN_ALL: must be 0
 * @group: its group; with %SHMZONE_CACHE_DRAIN_ALL: must be 0
 * @__reserved: must be 0
 * @out_bin: the bin; 0 with %SHMZONE_CACHE_DRAIN_ALL
 * @out_count: slots that were freed
 *
 * Makes the bin if there is none, lets its capacity grow, and if it is still
 * full frees the older half of what it holds. Then there is room for one more
 * at least. With %SHMZONE_CACHE_DRAIN_ALL the cache ends empty and without any
 * capacity: for a thread that is not going to use it for a while.
 *
 * ENXIO, EBUSY and ENOSPC as for CACHE_REFILL: use FREE.
 */
struct shmzone_cache_drain {
	__u32 size;
	__u32 flags;
	__u32 cache;
	__u32 size_class;
	__u32 group;
	__u32 __reserved;
	__u32 out_bin;
	__u32 out_count;
};

#define SHMZONE_CACHE_DRAIN_SIZE_VER0 32
#define SHMZONE_CACHE_DRAIN	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CACHE_DRAIN)

/**
 * struct shmzone_cache_reclaim - ioctl(SHMZONE_CACHE_RECLAIM): take back all stock
 * @size: sizeof(struct shmzone_cache_reclaim)
 * @flags: must be 0
 * @out_caches: caches whose stock was taken back
 * @out_busy: caches that were left alone, since a thread is at work on them
 * @out_count: slots that were freed
 *
 * From the caches of all clients of the zone. Needs a descriptor open for
 * writing: EACCES. EINTR: a fatal signal arrived.
 */
struct shmzone_cache_reclaim {
	__u32 size;
	__u32 flags;
	__u32 out_caches;
	__u32 out_busy;
	__aligned_u64 out_count;
};

#define SHMZONE_CACHE_RECLAIM_SIZE_VER0 24
#define SHMZONE_CACHE_RECLAIM	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CACHE_RECLAIM)

/**
 * struct shmzone_cache_client - ioctl(SHMZONE_CACHE_CLIENT): who the caller is
 * @size: sizeof(struct shmzone_cache_client)
 * @flags: must be 0
 * @out_client: number of the caller's process as a client of the zone, never
 *              used again
 *
 * ENXIO: it has no caches, or is the child of a fork that did not use them yet.
 */
struct shmzone_cache_client {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_client;
};

#define SHMZONE_CACHE_CLIENT_SIZE_VER0 16
#define SHMZONE_CACHE_CLIENT	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CACHE_CLIENT)

/**
 * struct shmzone_cache_sync - ioctl(SHMZONE_CACHE_SYNC): wait until a client is gone
 * @size: sizeof(struct shmzone_cache_sync)
 * @flags: must be 0
 * @client: its number
 * @timeout_ns: how long to wait at most, by CLOCK_MONOTONIC; 0 means as long as
 *              it takes
 *
 * When a process was killed and waited for, its memory may still be in the hands
 * of somebody who looks at it. This returns once all that the client's caches held
 * is free; at once for a client that is gone, or never was one of this zone.
 * ETIMEDOUT, and EINTR if a signal arrived. In an owned zone, what the client owned
 * is free then as well.
 */
struct shmzone_cache_sync {
	__u32 size;
	__u32 flags;
	__aligned_u64 client;
	__aligned_u64 timeout_ns;
};

#define SHMZONE_CACHE_SYNC_SIZE_VER0 24
#define SHMZONE_CACHE_SYNC	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CACHE_SYNC)

#endif /* _LINUX_SHMZONE_CACHE_H */
