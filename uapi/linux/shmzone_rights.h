/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: names and rights, limits and seals.
 *
 * A part of <linux/shmzone.h>, which includes it; the conventions are those told
 * there.
 */
#ifndef _LINUX_SHMZONE_RIGHTS_H
#define _LINUX_SHMZONE_RIGHTS_H

#include <linux/shmzone.h>

/**
 * DOC: names and rights
 *
 * Names are kept per IPC namespace: a command means the namespace of its
 * caller. They have a creator, an owner, a group and a mode, and are checked as
 * System V IPC checks its objects: creator and owner by the owner's bits of the
 * mode, else members of the creator's group and of the group by the group's
 * bits, else all by the others', with CAP_IPC_OWNER over the namespace to pass
 * any of them. Only creator, owner and CAP_SYS_ADMIN over the namespace may
 * UNLINK and PERMIT. User and group numbers are those of the caller's user
 * namespace.
 *
 * After that a descriptor is a right by itself, whoever holds it: one open for
 * reading and writing maps both ways and takes every command; a read-only one,
 * made by OPEN or REOPEN, maps read-only, and takes the commands that tell but
 * not those that change. It cannot be widened.
 *
 * Each user is held to a number of zones and to a sum of their limits, see the
 * module's parameters user_zones_max and user_bytes_max: EDQUOT. A zone counts
 * against the real user that created it for as long as it exists.
 */

/* The zone persists. */
#define SHMZONE_ENTRY_PERSIST	(1U << 0)
/* The zone is a committed one. */
#define SHMZONE_ENTRY_COMMITTED	(1U << 1)
/* The zone is a strict one. */
#define SHMZONE_ENTRY_STRICT	(1U << 2)
/* The zone is an owned one. */
#define SHMZONE_ENTRY_OWNED	(1U << 3)
/* The zone is a checked one. */
#define SHMZONE_ENTRY_CHECKED	(1U << 4)

/**
 * struct shmzone_entry - one name, as LIST tells it
 * @id: number of the zone, as out_id of STAT
 * @zone_bytes: size of the zone
 * @flags: SHMZONE_ENTRY_*
 * @mode: permission bits
 * @uid: owner, as the caller's user namespace numbers it
 * @gid: owning group, likewise
 * @name_len: bytes in @name
 * @__reserved: zero
 * @name: the name, and zeros behind it
 */
struct shmzone_entry {
	__aligned_u64 id;
	__aligned_u64 zone_bytes;
	__u32 flags;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 name_len;
	__u32 __reserved;
	__u8 name[SHMZONE_NAME_MAX + 1];
};

/**
 * struct shmzone_list - ioctl(SHMZONE_LIST): the names of this namespace
 * @size: sizeof(struct shmzone_list)
 * @flags: must be 0
 * @entries: pointer to an array of @count struct shmzone_entry, to be filled
 * @count: entries that fit, 1 to %SHMZONE_LIST_MAX
 * @entry_size: sizeof(struct shmzone_entry) as the caller knows it, at least
 *              296; bytes the kernel does not know are zeroed
 * @cursor: 0 to begin with, then @out_cursor of the call before
 * @out_cursor: where to go on, or 0 if these were the last
 * @out_count: entries filled; may be fewer than @count, and 0, before the last
 * @__out_reserved: zero
 *
 * Tells, in the order in which the zones were created, the names of the caller's
 * IPC namespace that the caller may OPEN for reading; of others nothing. A name
 * that is there from the first call to the last is told exactly once.
 */
struct shmzone_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 entry_size;
	__aligned_u64 cursor;
	__aligned_u64 out_cursor;
	__u32 out_count;
	__u32 __out_reserved;
};

#define SHMZONE_LIST_SIZE_VER0	48
#define SHMZONE_LIST		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_LIST)

/* What PERMIT is to change. */
#define SHMZONE_PERMIT_MODE	(1U << 0)
#define SHMZONE_PERMIT_UID	(1U << 1)
#define SHMZONE_PERMIT_GID	(1U << 2)

/**
 * struct shmzone_permit - ioctl(SHMZONE_PERMIT): change owner, group or mode
 * @size: sizeof(struct shmzone_permit)
 * @flags: SHMZONE_PERMIT_*, at least one of them: what to change
 * @name: pointer to the name
 * @name_len: bytes in the name
 * @mode: the new permission bits, 0 to 0666
 * @uid: the new owner, of the caller's user namespace
 * @gid: the new group, likewise
 *
 * What is not to be changed must be 0. All of it changes at once, or nothing.
 * Only creator and owner of the name and CAP_SYS_ADMIN may do this: EPERM. The
 * creator stays one whoever becomes the owner. A user or group that the caller's
 * user namespace does not have is EINVAL. Descriptors that are open keep their
 * rights.
 */
struct shmzone_permit {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 mode;
	__u32 uid;
	__u32 gid;
};

#define SHMZONE_PERMIT_SIZE_VER0 32
#define SHMZONE_PERMIT		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_PERMIT)

/**
 * struct shmzone_reopen - ioctl(SHMZONE_REOPEN): one more descriptor
 * @size: sizeof(struct shmzone_reopen)
 * @flags: 0 or %SHMZONE_OPEN_RDONLY
 * @__reserved: must be 0
 *
 * For a descriptor with fewer rights, to be handed on. Returns a descriptor of
 * the same zone, open for reading and writing unless %SHMZONE_OPEN_RDONLY is
 * given. From a read-only descriptor comes only a read-only one: EACCES.
 */
struct shmzone_reopen {
	__u32 size;
	__u32 flags;
	__u32 __reserved[2];
};

#define SHMZONE_REOPEN_SIZE_VER0 16
#define SHMZONE_REOPEN		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_REOPEN)

/**
 * struct shmzone_set_limit - ioctl(SHMZONE_SET_LIMIT): change a zone's limit
 * @size: sizeof(struct shmzone_set_limit)
 * @flags: must be 0
 * @limit_bytes: as for CREATE: a multiple of the page size and at most the size
 *               of the zone; 0 means no limit but the size
 *
 * A limit below what is taken takes nothing away: it only keeps allocations
 * from taking more pages. The zone's creator is charged for the limit, or, where
 * that is more, for what is taken at the time: EDQUOT for what the creator may
 * not have. Needs a descriptor open for writing: EACCES. EPERM after
 * %SHMZONE_SEAL_LIMIT.
 */
struct shmzone_set_limit {
	__u32 size;
	__u32 flags;
	__aligned_u64 limit_bytes;
};

#define SHMZONE_SET_LIMIT_SIZE_VER0 16
#define SHMZONE_SET_LIMIT	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_SET_LIMIT)

/* No seal is added any more. */
#define SHMZONE_SEAL_SEAL	(1U << 0)
/* Nothing is allocated any more; frees go on. */
#define SHMZONE_SEAL_ALLOC	(1U << 1)
/* The limit stays as it is. */
#define SHMZONE_SEAL_LIMIT	(1U << 2)
/*
 * Data is not mapped for writing any more, nor so that mprotect(2) could make it
 * writable. Mappings from before stay, and can what they could.
 */
#define SHMZONE_SEAL_WRITE	(1U << 3)

/**
 * struct shmzone_add_seals - ioctl(SHMZONE_ADD_SEALS): give up something for good
 * @size: sizeof(struct shmzone_add_seals)
 * @flags: must be 0
 * @seals: SHMZONE_SEAL_* to add; unknown ones are EOPNOTSUPP
 * @__reserved: must be 0
 *
 * Seals are the zone's, not the descriptor's, and are never taken away. A call
 * that is under way in another thread may still end as if it had come before.
 * EPERM after %SHMZONE_SEAL_SEAL. Needs a descriptor open for writing: EACCES.
 */
struct shmzone_add_seals {
	__u32 size;
	__u32 flags;
	__u32 seals;
	__u32 __reserved;
};

#define SHMZONE_ADD_SEALS_SIZE_VER0 16
#define SHMZONE_ADD_SEALS	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_ADD_SEALS)

/**
 * struct shmzone_get_seals - ioctl(SHMZONE_GET_SEALS): the seals of a zone
 * @size: sizeof(struct shmzone_get_seals)
 * @flags: must be 0
 * @out_seals: SHMZONE_SEAL_* of the zone
 * @__out_reserved: zero
 */
struct shmzone_get_seals {
	__u32 size;
	__u32 flags;
	__u32 out_seals;
	__u32 __out_reserved;
};

#define SHMZONE_GET_SEALS_SIZE_VER0 16
#define SHMZONE_GET_SEALS	_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_GET_SEALS)

#endif /* _LINUX_SHMZONE_RIGHTS_H */
