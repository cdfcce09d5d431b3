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
 * and CACHE_DRAIN, where a shortage is ENOMEM or EDQUOT, but for bins that have
 * capacity, which do with that, or when they are touched, where it is SIGBUS. The
 * first touch by the child of a fork does not fail so: if it may not be a client, has
 * mapped caches of the zone once more before that, or lacks the memory, then what it
 * inherited, or this one cache of it, stays zeros for good, to which it may write
 * within the first page, and CACHE_REFILL and CACHE_DRAIN say ENXIO.
 *
 * At the beginning of a cache is a struct shmzone_cache. The words after its
 * @head hold offsets of free slots. A *bin* is a class and group; its words
 * are counted in __u64 from @head, which is word 0. @cur is the last one in
 * use, @end the last that may be. Below its first one there is a word with all
 * bits set, which is no offset. To allocate is to take the last word in use, to
 * free is to add one:
 *
 *	allocate: if ~word[cur] == 0, CACHE_REFILL; else take word[cur--]
 *	free:     if cur == end, CACHE_DRAIN; else word[++cur] = offset
 *
 * This is for one thread at a time, which is the business of the process: what
 * threads do to the caches of their own process can hurt no other one more than
 * frees of wrong offsets can. A cache is the thread's that called CACHE_REFILL or
 * CACHE_DRAIN for it last, and another one begins with either.
 *
 * From before it reads @cur to after it has written it, the thread has @key at some
 * value from %SHMZONE_CACHE_BUSY to INT_MAX, else at what it was: by that the
 * kernel knows whether it may take back the stock of a cache, which it does when
 * the cache has not been used for a while, or when memory is short. (The kernel
 * makes the page of @head inaccessible first. A thread that stores to @key then
 * waits in a page fault until the kernel is done.) A thread that finds @key not
 * negative has interrupted itself, by a signal, and has to leave the cache alone;
 * or the cache is not set up. A thread that has ended is not at work, and the
 * kernel sets @key right.
 *
 * Threads may also use a cache together, and see to it that one is at work, or calls,
 * at a time. CACHE_DRAIN with %SHMZONE_CACHE_DRAIN_SHARED says so. Then it is nothing
 * to the kernel that a thread has ended; and such a cache is the last to grow, and
 * the first to be emptied, where a process has as much in caches as it may.
 *
 * While it is negative, @key tells slots whose place is bin @class. It and the
 * page map's entry add up, modulo 2^32, to the class of a slot if that is one of
 * these, and to more than any class for all other pages. (So do the values of @key
 * while a thread is at work.) Free other slots by FREE, or by @bin_of.
 *
 * A cache that was never used reads as zeros. CACHE_REFILL and CACHE_DRAIN set it
 * up, and also set @key where it is 0. Capacities begin small and grow as these
 * are called; they are bounded by %SHMZONE_CACHE_STOCK_MAX bytes of slots a
 * cache, and together by a part of the zone's limit. A bin without any is empty
 * and full at the same time.
 *
 * Bin n of n < %SHMZONE_CLASSES is class n in group 0. Those of other groups are
 * made when they are first asked for, as far as there is room; @bin_of has
 * them. Bin 0 has no class and never any capacity.
 *
 * In a checked zone (see <linux/shmzone_kinds.h>) those bins are to allocate from
 * alone. What is freed goes into bin %SHMZONE_CACHE_PENDING, if it is an object of
 * up to %SHMZONE_CACHE_PENDING_BYTES bytes; else by FREE. A word of that bin is
 * the offset, and from bit %SHMZONE_CACHE_CUR_SHIFT on the @cur of the bin that the
 * slot would go to otherwise: by that the kernel knows what was stock when it was
 * freed. CACHE_DRAIN of whichever class and group frees all that is in it, and so
 * do CACHE_REFILL and whatever takes back the stock of the cache. @key is by
 * %SHMZONE_CACHE_CHECKED less than it would be, so that it tells no class.
 *
 * To the rest of the zone a slot in a cache is allocated. QUERY finds it and
 * FREE frees it (so that the cache's word for it is wrong). What the kernel
 * finds in a cache is checked as an offset given to FREE is.
 */

/* Where caches begin among the mmap offsets of a zone descriptor. */
#define SHMZONE_MMAP_CACHES	(1ULL << 49)

/* Bytes of a cache. */
#define SHMZONE_CACHE_BYTES	131072

/* Caches of a process in a zone at most. */
#define SHMZONE_CACHES_MAX	4096

/* Bins of a cache, bin 0 included. */
#define SHMZONE_CACHE_BINS	128

/* The first word of bins; struct shmzone_cache_head ends before it. */
#define SHMZONE_CACHE_FIRST_WORD 256

/* Where bin 0 is, counted like words. */
#define SHMZONE_CACHE_BIN_WORD	128

/* In checked zones: the bin for what is freed, for objects of how many bytes. */
#define SHMZONE_CACHE_PENDING	SHMZONE_CLASSES
#define SHMZONE_CACHE_PENDING_BYTES 1024

/* Where in its words @cur is, and by how much @key is less. */
#define SHMZONE_CACHE_CUR_SHIFT	48
#define SHMZONE_CACHE_CHECKED	(1U << 30)

/* The least value of key while a thread is at work. */
#define SHMZONE_CACHE_BUSY	128

/* Bytes of slots that the bins of a cache have room for at most. */
#define SHMZONE_CACHE_STOCK_MAX	(1U << 20)

/**
 * struct shmzone_bin - one bin of a cache
 * @cur: the last word in use
 * @end: the last word that may be; the kernel sets it, and never believes it
 */
struct shmzone_bin {
	__u32 cur;
	__u32 end;
};

/**
 * struct shmzone_cache_head - what a thread and the kernel know of a cache
 * @key: see above
 * @__reserved: zero
 * @bin_of: bin of a class in group n + 1, or 0; set by the kernel alone
 * @bin: the bins
 */
struct shmzone_cache_head {
	__u32 key;
	__u32 __reserved[15];
	__u8 bin_of[15][64];
	struct shmzone_bin bin[SHMZONE_CACHE_BINS];
};

/**
 * struct shmzone_cache - how a cache begins
 * @__reserved: zero
 * @head: the head
 *
 * The head is not where the page begins, and @key not where 16 bytes begin:
 * processors look at the place in a page first when they look for a store that
 * a load has to wait for, and that is where objects begin.
 */
struct shmzone_cache {
	__aligned_u64 __reserved[117];
	struct shmzone_cache_head head;
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
 * ENXIO: the caller has no such cache, or is the child of a fork that has not
 * touched any yet. EBUSY: a thread is at work on it. ENOSPC: there is no room for the
 * bin, or it has no capacity and may have none now, as while somebody waits for
 * memory: use ALLOC.
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

/* The cache is one that threads use together; until CACHE_DRAIN does without it. */
#define SHMZONE_CACHE_DRAIN_SHARED	(1U << 1)

/**
 * struct shmzone_cache_drain - ioctl(SHMZONE_CACHE_DRAIN): make room in a bin
 * @size: sizeof(struct shmzone_cache_drain)
 * @flags: 0, %SHMZONE_CACHE_DRAIN_ALL or %SHMZONE_CACHE_DRAIN_SHARED
 * @cache: index of the cache in the caller's mapping
 * @size_class: class of the bin; with %SHMZONE_CACHE_DRAIN_ALL: must be 0
 * @group: its group; with %SHMZONE_CACHE_DRAIN_ALL: must be 0
 * @__reserved: must be 0
 * @out_bin: the bin; 0 with %SHMZONE_CACHE_DRAIN_ALL
 * @out_count: slots that were freed
 * @out_refused: with %SHMZONE_CACHE_DRAIN_ALL, in a checked zone: frees that were
 *               refused since this was last told
 * @out_error: the same: why the first of them was: EINVAL, or EPERM: another's
 *
 * Makes the bin if there is none, lets its capacity grow, and if it is still
 * full frees the older half of what it holds; seven eighths, rounded up, if it did so the
 * last time and CACHE_REFILL was not called for the bin since. Then there is room for one
 * more at least. With %SHMZONE_CACHE_DRAIN_ALL the cache ends empty and without any
 * capacity: for a thread that is not going to use it for a while. EINVAL: both flags.
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
	__u32 out_refused;
	__u32 out_error;
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
