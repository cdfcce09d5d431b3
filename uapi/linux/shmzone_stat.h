/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: the figures of a zone and of its classes, and the check. A part of
 * <linux/shmzone.h>, which includes it and has the conventions and the numbers
 * of all commands.
 */
#ifndef _LINUX_SHMZONE_STAT_H
#define _LINUX_SHMZONE_STAT_H

#include <linux/types.h>

/**
 * struct shmzone_stat - ioctl(SHMZONE_STAT): the figures of a zone
 * @size: sizeof(struct shmzone_stat)
 * @flags: must be 0
 * @out_id: number of the zone, never reused while the module is loaded
 * @out_zone_bytes: address space of the zone
 * @out_limit_bytes: what allocations may take in whole pages
 * @out_taken_bytes: what they take now: all pages of slabs and spans
 * @out_live_bytes: usable bytes of live objects
 * @out_live_objects: live objects
 * @out_slabs: slabs
 * @out_spans: spans
 * @out_resident_bytes: zone memory in RAM
 * @out_swapped_bytes: zone memory in swap
 * @out_kernel_bytes: kernel memory of the allocator, the page map, the roots and
 *                    the caches
 * @out_requests: objects asked for by ALLOC since the zone was made; an ALLOC
 *                that waits asks anew each time it is tried
 * @out_failures: those of them not given
 * @out_frees: objects freed
 * @out_bad_outside: frees refused: offset 0, or beyond the zone
 * @out_bad_misaligned: frees refused: not a multiple of 8, the smallest slot
 * @out_bad_interior: frees refused: inside an object or a slab's slot, but not
 *                    at its start
 * @out_bad_not_live: frees refused: not allocated, or freed already
 * @out_bad_bytes: frees refused: live, but not of the size stated
 * @out_refused_calls: calls on descriptors of the zone refused for an unknown
 *                     command, a bad structure, flag, value or pointer, or a
 *                     missing right, before any object was looked at, as far
 *                     as they reach the module
 * @out_kind: the kind of the zone: %SHMZONE_CREATE_COMMITTED, _STRICT, _OWNED and
 *            _CHECKED
 * @__out_reserved: zero
 * @out_cached_bytes: bytes of the slots in caches, which count as live
 * @out_cached_objects: how many those are, and in checked zones those that wait to be
 *                      freed, whose bytes are left out
 * @out_caches: caches that hold kernel memory
 * @out_revocations: how often the stock of a cache was taken back while its
 *                   process went on
 * @out_bad_bins: bins of caches that were found to be wrong; what was in them is
 *                lost until somebody frees it
 * @out_bad_owner: frees refused: live, but another client's
 *
 * The figures are taken one after the other, not at one instant.
 */
struct shmzone_stat {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_id;
	__aligned_u64 out_zone_bytes;
	__aligned_u64 out_limit_bytes;
	__aligned_u64 out_taken_bytes;
	__aligned_u64 out_live_bytes;
	__aligned_u64 out_live_objects;
	__aligned_u64 out_slabs;
	__aligned_u64 out_spans;
	__aligned_u64 out_resident_bytes;
	__aligned_u64 out_swapped_bytes;
	__aligned_u64 out_kernel_bytes;
	__aligned_u64 out_requests;
	__aligned_u64 out_failures;
	__aligned_u64 out_frees;
	__aligned_u64 out_bad_outside;
	__aligned_u64 out_bad_misaligned;
	__aligned_u64 out_bad_interior;
	__aligned_u64 out_bad_not_live;
	__aligned_u64 out_bad_bytes;
	__aligned_u64 out_refused_calls;
	__u32 out_kind;
	__u32 __out_reserved;
	__aligned_u64 out_cached_bytes;
	__aligned_u64 out_cached_objects;
	__aligned_u64 out_caches;
	__aligned_u64 out_revocations;
	__aligned_u64 out_bad_bins;
	__aligned_u64 out_bad_owner;
};

#define SHMZONE_STAT_SIZE_VER0	168
#define SHMZONE_STAT		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_STAT)

/**
 * struct shmzone_class_figures - the figures of one size class
 * @slabs: slabs (class 0: spans)
 * @total: slots, taken and free (class 0: pages)
 * @used: slots taken, those in caches too (class 0: pages taken)
 * @requests: objects asked for since the zone was made
 * @failures: those of them not given
 * @frees: objects freed
 */
struct shmzone_class_figures {
	__aligned_u64 slabs;
	__aligned_u64 total;
	__aligned_u64 used;
	__aligned_u64 requests;
	__aligned_u64 failures;
	__aligned_u64 frees;
};

/* For @group of CLASS_STAT: the sum over all groups. */
#define SHMZONE_GROUP_ALL	0xffffffffU

/**
 * struct shmzone_class_stat - ioctl(SHMZONE_CLASS_STAT): figures by class
 * @size: sizeof(struct shmzone_class_stat)
 * @flags: must be 0
 * @figures: pointer to an array of struct shmzone_class_figures
 * @first_class: class of the first entry
 * @count: entries that fit, at least 1
 * @group: the group, or %SHMZONE_GROUP_ALL
 * @figures_size: sizeof(struct shmzone_class_figures) as the caller knows it,
 *                at least 48; bytes the kernel does not know are zeroed
 * @out_count: entries filled: @count, or fewer where the class table ends
 * @__out_reserved: zero
 *
 * EINTR: a fatal signal arrived.
 */
struct shmzone_class_stat {
	__u32 size;
	__u32 flags;
	__aligned_u64 figures;
	__u32 first_class;
	__u32 count;
	__u32 group;
	__u32 figures_size;
	__u32 out_count;
	__u32 __out_reserved;
};

#define SHMZONE_CLASS_STAT_SIZE_VER0 40
#define SHMZONE_CLASS_STAT	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CLASS_STAT)

#define SHMZONE_CHECK_TEXT	120

/**
 * struct shmzone_check - ioctl(SHMZONE_CHECK): recompute everything and compare
 * @size: sizeof(struct shmzone_check)
 * @flags: must be 0
 * @out_text: empty if the allocator of the zone is consistent, else a sentence
 *            that says what is not
 *
 * For tests, and slow. The zone may be in use meanwhile. Only modules built for
 * debugging know this command; others answer ENOTTY. ENOMEM: nothing was
 * checked. Needs a descriptor open for writing: EACCES.
 */
struct shmzone_check {
	__u32 size;
	__u32 flags;
	char out_text[SHMZONE_CHECK_TEXT];
};

#define SHMZONE_CHECK_SIZE_VER0	128
#define SHMZONE_CHECK		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CHECK)

#endif /* _LINUX_SHMZONE_STAT_H */
