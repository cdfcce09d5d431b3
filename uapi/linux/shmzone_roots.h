/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: the roots of a zone. A part of <linux/shmzone.h>, which includes it
 * and has the conventions and the numbers of all commands.
 */
#ifndef _LINUX_SHMZONE_ROOTS_H
#define _LINUX_SHMZONE_ROOTS_H

#include <linux/types.h>

/**
 * DOC: roots
 *
 * A zone has a small table of *roots*: names for offsets, by which processes
 * find what others have put there. Every name has a value, which is 0 until it
 * is set, so whoever swaps it from 0 by compare-and-swap is the one that has
 * initialised what it names. Setting 0 removes the root.
 *
 * A root can only be set to the start of a live allocation. It does not keep
 * that allocation: an object that a root names may be freed, and its offset be
 * allocated again, without the root being told.
 */

/* Bytes in the name of a root at most, without the terminating NUL. */
#define SHMZONE_ROOT_NAME_MAX	63

/* Roots of a zone at most. */
#define SHMZONE_ROOTS_MAX	1024

/**
 * struct shmzone_root_get - ioctl(SHMZONE_ROOT_GET): the value of a root
 * @size: sizeof(struct shmzone_root_get)
 * @flags: must be 0
 * @name: pointer to the name
 * @name_len: bytes in the name, 1 to %SHMZONE_ROOT_NAME_MAX, any but NUL
 * @__reserved: must be 0
 * @out_offset: the offset it was set to, or 0
 */
struct shmzone_root_get {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 __reserved;
	__aligned_u64 out_offset;
};

#define SHMZONE_ROOT_GET_SIZE_VER0 32
#define SHMZONE_ROOT_GET	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_ROOT_GET)

/* Set the root only if its value is @expected, else fail with EAGAIN. */
#define SHMZONE_ROOT_SET_CAS	(1U << 0)

/**
 * struct shmzone_root_set - ioctl(SHMZONE_ROOT_SET): set, swap, remove a root
 * @size: sizeof(struct shmzone_root_set)
 * @flags: 0 or %SHMZONE_ROOT_SET_CAS
 * @name: pointer to the name
 * @name_len: bytes in the name, 1 to %SHMZONE_ROOT_NAME_MAX, any but NUL
 * @__reserved: must be 0
 * @offset: the new value: the start of a live allocation of this zone (EINVAL),
 *          or 0 to remove the root, which need not exist
 * @expected: with %SHMZONE_ROOT_SET_CAS: the value to be replaced, 0 for none;
 *            without: must be 0
 * @out_old: the value before, also with EAGAIN
 *
 * A root that exists can always be changed: ENOSPC and ENOMEM are for new ones.
 * EFAULT comes before anything was changed, unless the structure is made
 * unwritable during the call. Needs a descriptor open for writing: EACCES.
 */
struct shmzone_root_set {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 __reserved;
	__aligned_u64 offset;
	__aligned_u64 expected;
	__aligned_u64 out_old;
};

#define SHMZONE_ROOT_SET_SIZE_VER0 48
#define SHMZONE_ROOT_SET	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_ROOT_SET)

/**
 * struct shmzone_root - one root
 * @offset: its value
 * @name_len: bytes in the name
 * @__reserved: zero
 * @name: the name, and zeros behind it
 */
struct shmzone_root {
	__aligned_u64 offset;
	__u32 name_len;
	__u32 __reserved;
	char name[SHMZONE_ROOT_NAME_MAX + 1];
};

/**
 * struct shmzone_root_list - ioctl(SHMZONE_ROOT_LIST): which roots there are
 * @size: sizeof(struct shmzone_root_list)
 * @flags: must be 0
 * @roots: pointer to an array of @count struct shmzone_root
 * @count: entries that fit, at least 1
 * @root_size: sizeof(struct shmzone_root) as the caller knows it, at least 80;
 *             bytes the kernel does not know are zeroed
 * @after: pointer to a name: only those that follow it are wanted
 * @after_len: bytes in it, up to %SHMZONE_ROOT_NAME_MAX; 0 to begin at the first
 * @out_count: entries filled; fewer than @count only if there are no more
 *
 * Roots come in the order of their names, byte by byte. To go on, give the last
 * name as @after: a root that exists all the while is seen exactly once. The
 * entries are taken one after the other, not at one instant.
 */
struct shmzone_root_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 roots;
	__u32 count;
	__u32 root_size;
	__aligned_u64 after;
	__u32 after_len;
	__u32 out_count;
};

#define SHMZONE_ROOT_LIST_SIZE_VER0 40
#define SHMZONE_ROOT_LIST	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_ROOT_LIST)

#endif /* _LINUX_SHMZONE_ROOTS_H */
