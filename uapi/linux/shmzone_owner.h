/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: owned zones, and the walk over what is allocated. A part of
 * <linux/shmzone.h>, which includes it and has the conventions and the numbers
 * of all commands.
 */
#ifndef _LINUX_SHMZONE_OWNER_H
#define _LINUX_SHMZONE_OWNER_H

#include <linux/types.h>

/**
 * DOC: owned zones
 *
 * In an *owned* zone (%SHMZONE_CREATE_OWNED) every object belongs to a client
 * (see <linux/shmzone_cache.h>), or to nobody. What a client allocates is its
 * own, in slabs that are its own too. Who has no caches cannot allocate: ENXIO. A
 * child of fork(2) is a client of its own, once it has touched its caches, and
 * owns nothing of what its parent owns.
 *
 * An object can be freed by its owner, and if it is nobody's by anyone whose
 * descriptor is open for writing. Freeing another's is EPERM. (Its data can be
 * written by all who have it mapped: who owns an object says who may free it,
 * and when it goes.)
 *
 * When a client is gone, however it went, all that it owns is freed, offered or
 * not; CACHE_SYNC waits for that too.
 *
 * Objects change their owner by GIVE, and by OFFER and TAKE. A given object has
 * another owner at once, who may not know. An offered one stays its owner's until
 * somebody takes it who has learnt of it: at any moment it has one owner, with
 * whom it goes if he is killed, so that nothing is lost on the way, and nothing
 * freed twice.
 *
 * An object can be tied to another one of the same owner, its *parent* (LINK), and
 * then goes with it: it is freed when its parent is, however that comes. Until it is
 * untied it belongs to whoever owns its parent, who may free it before. It is given,
 * offered and taken with its parent alone (EBUSY). A parent may have any number of
 * children, but no parent itself. So a message of many parts is handed on, or
 * lost, as one, and a pool is freed by one call, which returns when all is free. What is
 * tied, and its parent, takes 64 bytes of the kernel's memory each beside its slab's.
 *
 * A slab of which something was given, offered or tied becomes *mixed*
 * (%SHMZONE_KIND_MIXED) until it ends: frees of its slots need a FREE, as only the
 * kernel knows whose they are. When its client goes, a mixed slab stays for as
 * long as there is an object of another's on it.
 *
 * Bits 12-27 of a page map entry are the *tag* of the client whose slab it is, or
 * whose span, 0 for nobody, and for spans that are tied to others. The @key of a
 * cache goes with its client's. Tags are used again when nothing is left of a client;
 * its number never is.
 */
#define SHMZONE_PAGE_TAG(e)	(((e) >> 12) & 0xffff)

/**
 * struct shmzone_give - ioctl(SHMZONE_GIVE): give objects away
 * @size: sizeof(struct shmzone_give)
 * @flags: must be 0
 * @offsets: pointer to an array of @count __u64
 * @count: objects, 1 to %SHMZONE_BATCH_MAX
 * @__reserved: must be 0
 * @client: number of the client that is to own them, or 0: they are to be nobody's
 * @out_count: objects that were given: the first @out_count entries of @offsets
 * @out_error: why the next one was not: an errno value, or 0 if all were given
 *
 * Goes through @offsets in order, and stops at the first that is not a live
 * allocation (EINVAL) or not the caller's (EPERM), or for want of memory
 * (ENOMEM), or at a fatal signal (EINTR). Returns 0 if at least one object was
 * given, else the error. ESRCH: there is no such client of the zone, or not any
 * more. ENXIO: the caller is no client. EOPNOTSUPP: the zone is not owned. Needs a
 * descriptor open for writing: EACCES.
 */
struct shmzone_give {
	__u32 size;
	__u32 flags;
	__aligned_u64 offsets;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 client;
	__u32 out_count;
	__u32 out_error;
};

#define SHMZONE_GIVE_SIZE_VER0	40
#define SHMZONE_GIVE		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_GIVE)

/**
 * struct shmzone_offer - ioctl(SHMZONE_OFFER): let anyone take objects
 * @size: sizeof(struct shmzone_offer)
 * @flags: must be 0
 * @offsets: pointer to an array of @count __u64
 * @count: objects, 1 to %SHMZONE_BATCH_MAX
 * @__reserved: must be 0
 * @client: must be 0
 * @out_count: objects that were offered: the first @out_count entries of @offsets
 * @out_error: why the next one was not: an errno value, or 0 if all were offered
 *
 * As GIVE, but the objects stay the caller's. The offer of an object ends when it
 * is taken, given or freed.
 */
struct shmzone_offer {
	__u32 size;
	__u32 flags;
	__aligned_u64 offsets;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 client;
	__u32 out_count;
	__u32 out_error;
};

#define SHMZONE_OFFER_SIZE_VER0	40
#define SHMZONE_OFFER		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_OFFER)

/**
 * struct shmzone_take - ioctl(SHMZONE_TAKE): take objects
 * @size: sizeof(struct shmzone_take)
 * @flags: must be 0
 * @offsets: pointer to an array of @count __u64
 * @count: objects, 1 to %SHMZONE_BATCH_MAX
 * @__reserved: must be 0
 * @client: number of the client that offers them, or 0: they are nobody's, and
 *          need no offer
 * @out_count: objects that were taken: the first @out_count entries of @offsets
 * @out_error: why the next one was not: an errno value, or 0 if all were taken
 *
 * As GIVE, but the objects become the caller's. EPERM: @client does not own or
 * not offer it. Of several who take an object one succeeds. ESRCH: @client is gone,
 * and what it offered is free, or about to be.
 */
struct shmzone_take {
	__u32 size;
	__u32 flags;
	__aligned_u64 offsets;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 client;
	__u32 out_count;
	__u32 out_error;
};

#define SHMZONE_TAKE_SIZE_VER0	40
#define SHMZONE_TAKE		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_TAKE)

/**
 * struct shmzone_link - ioctl(SHMZONE_LINK): tie objects to another one
 * @size: sizeof(struct shmzone_link)
 * @flags: must be 0
 * @offsets: pointer to an array of @count __u64
 * @count: objects, 1 to %SHMZONE_BATCH_MAX
 * @__reserved: must be 0
 * @parent: offset of the object that they are to be tied to, or 0: they are to be
 *          tied to none any more
 * @out_count: objects for which this was done: the first @out_count entries of
 *             @offsets
 * @out_error: why not for the next one: an errno value, or 0 if for all
 *
 * As GIVE. EBUSY: the object is tied to one already, or has objects tied to it, or
 * @parent is tied to one. EINVAL also: the object is not tied to any, and @parent
 * is 0; or it is @parent.
 */
struct shmzone_link {
	__u32 size;
	__u32 flags;
	__aligned_u64 offsets;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 parent;
	__u32 out_count;
	__u32 out_error;
};

#define SHMZONE_LINK_SIZE_VER0	40
#define SHMZONE_LINK		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_LINK)

/* Objects in one WALK at most. */
#define SHMZONE_WALK_MAX	1024

/* The slot lies in a cache: nobody uses it. */
#define SHMZONE_OBJECT_CACHED	(1U << 0)
/* It is on offer. */
#define SHMZONE_OBJECT_OFFERED	(1U << 1)
/* It is tied to another one. */
#define SHMZONE_OBJECT_LINKED	(1U << 2)

/**
 * struct shmzone_object - a live object
 * @offset: its offset
 * @bytes: usable bytes
 * @owner: number of the client that owns it, or its parent, or 0: it is nobody's, or
 *         the zone is not owned
 * @size_class: size class, %SHMZONE_CLASS_SPAN for a span
 * @group: its group
 * @flags: SHMZONE_OBJECT_*
 * @__reserved: zero
 */
struct shmzone_object {
	__aligned_u64 offset;
	__aligned_u64 bytes;
	__aligned_u64 owner;
	__u32 size_class;
	__u32 group;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct shmzone_walk - ioctl(SHMZONE_WALK): what is allocated
 * @size: sizeof(struct shmzone_walk)
 * @flags: must be 0
 * @objects: pointer to an array of @count struct shmzone_object
 * @count: entries that fit, 1 to %SHMZONE_WALK_MAX
 * @object_size: sizeof(struct shmzone_object) as the caller knows it, at least
 *               40; bytes the kernel does not know are zeroed
 * @cursor: 0 to begin with, then @out_cursor of the call before
 * @out_cursor: where to go on, or 0 if these were the last
 * @out_count: entries filled
 * @__out_reserved: zero
 *
 * Works on all zones. Objects come in the order of their offsets. One that lives
 * from the first call to the last is told exactly once. Whether a slot lies in a
 * cache is what its cache says, at about the same time. EINTR: a fatal signal
 * arrived.
 */
struct shmzone_walk {
	__u32 size;
	__u32 flags;
	__aligned_u64 objects;
	__u32 count;
	__u32 object_size;
	__aligned_u64 cursor;
	__aligned_u64 out_cursor;
	__u32 out_count;
	__u32 __out_reserved;
};

#define SHMZONE_WALK_SIZE_VER0	48
#define SHMZONE_WALK		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_WALK)

#endif /* _LINUX_SHMZONE_OWNER_H */
