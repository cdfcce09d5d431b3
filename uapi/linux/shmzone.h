/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: shared memory zones with an allocator in the kernel.
 *
 * This header, with those it includes, is the whole contract between the
 * shmzone kernel module and user space; nothing else about the module is stable.
 */
#ifndef _LINUX_SHMZONE_H
#define _LINUX_SHMZONE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: objects
 *
 * The *control descriptor* is an open /dev/shmzone; whoever may open the node,
 * for reading or writing, may use it. It takes INFO, CREATE, OPEN, UNLINK, LIST
 * and PERMIT. CREATE and OPEN return a *zone descriptor*, which takes all other
 * commands and INFO, and which is mapped with mmap(2) and waited on with poll(2).
 * A zone lives as long as a descriptor or a mapping of it does, in any process;
 * its name goes with it, or earlier by UNLINK. The name of a *persistent* zone is
 * one of its users: it lives until UNLINK, or until its IPC namespace ends.
 * Descriptors are close-on-exec; hand them on by fork(2) or SCM_RIGHTS.
 *
 * Memory inside a zone is named by its *offset*: the position in bytes from
 * the zone's start, the same in every process. Offset 0 is never allocated.
 */

/**
 * DOC: mapping
 *
 * At mmap offset 0 lies the data of the zone, to be mapped MAP_SHARED and
 * without PROT_EXEC, in whole or in part. Touching a page that is not
 * allocated is not an error, but in strict zones: it shows what was last
 * written there, or zeros, and its memory counts as the zone's.
 *
 * At mmap offset %SHMZONE_MMAP_PAGE_MAP lies the read-only *page map*: one
 * native-endian __u32 for each page of the zone, see SHMZONE_PAGE_*(). At
 * %SHMZONE_MMAP_CACHES lie *caches*, see <linux/shmzone_cache.h>.
 *
 * mmap fails with EINVAL for MAP_PRIVATE and for ranges beyond the area, and
 * with EACCES for PROT_EXEC (EPERM on kernels that refuse it themselves), for a
 * writable page map, and for writable data through a read-only descriptor; and
 * with EPERM for writable data of a zone with %SHMZONE_SEAL_WRITE.
 *
 * Mappings do not grow with mremap(2) and stay out of core dumps. mlock(2)
 * brings the data in but does not keep it from being swapped out. 32-bit
 * processes can map data but not the page map, which lies beyond their reach.
 */

/**
 * DOC: waiting
 *
 * ALLOC with %SHMZONE_ALLOC_WAIT waits while the zone has no memory for the
 * request. Those who wait stand in one queue for each zone, in order of
 * arrival, and only the one at its head is tried: when something is freed, when
 * the limit is raised, and when it gets there. So a large request is not overtaken
 * for ever by small ones that wait too; they wait behind it, even if there is
 * memory for them. A time limit bounds that. An ALLOC without the flag does not
 * look at the queue and may overtake; one with it tries at once only if nobody
 * waits.
 *
 * ENOMEM is still the answer where freeing cannot help: a slab or span of the
 * request's size exceeds the zone, or its limit as it is when that is tried.
 *
 * poll(2), select(2) and epoll(7) on a zone descriptor open for writing report
 * EPOLLOUT (and EPOLLWRNORM) unless an ALLOC of anyone in the zone was given
 * fewer objects than it asked for, for want of memory, and since then nothing
 * was freed nor the limit raised. (What can never succeed, as above, does not
 * count.) It says that an ALLOC may succeed, not that it will, and works
 * edge-triggered too. Failures count from the first poll of the zone on, by
 * any descriptor; entering one in an epoll set is a poll. No other events are
 * reported, and none at all on descriptors open for reading only.
 */

/**
 * DOC: ioctl conventions
 *
 * Every command takes a pointer to a structure that begins with its size in
 * bytes as the caller knows it, and flags. The commands are _IO() numbers, so
 * that a number stays the same when its structure grows. Fields are only ever
 * appended, and zero in a new field always means the behaviour of before:
 *
 * - size smaller than the command's _SIZE_VER0 is EINVAL;
 * - size larger than the kernel's structure is fine if all excess bytes are
 *   zero, else E2BIG; a size beyond the page size is always E2BIG;
 * - unknown flags and non-zero reserved fields are EOPNOTSUPP;
 * - fields named out_* are written by the kernel, and only as far as size
 *   reaches; all other fields come back as they were given.
 *
 * A refused call changes nothing but the statistics.
 *
 * Return values: 0, or a descriptor from CREATE and OPEN, or -1 with errno:
 *
 * =========== ============================================================
 * EACCES      the descriptor or the caller's identity lacks the right
 * EAGAIN      ROOT_SET with %SHMZONE_ROOT_SET_CAS: it has another value
 * E2BIG       the structure is longer than the kernel knows, and not zero; or
 *             a size is beyond the page size
 * EBADF       not an open descriptor
 * EBUSY       LINK, GIVE, OFFER, TAKE: the object is tied to another, or in another way;
 *             CACHE_REFILL, CACHE_DRAIN: a thread is at work on the cache; mmap:
 *             the process has caches of the zone already
 * EDQUOT      CREATE, SET_LIMIT: the creator has no more zones or bytes to have;
 *             mmap: the user has no more clients to have
 * EEXIST      CREATE with %SHMZONE_CREATE_EXCL: the name is taken
 * EFAULT      a pointer is wrong; for batches see the command
 * EMFILE      CREATE, OPEN: too many descriptors; also ENFILE
 * EINTR       a fatal signal arrived, or any signal while ALLOC waited, before
 *             anything was done
 * EINVAL      a malformed value; for FREE, QUERY and ROOT_SET: not an allocation
 * ENAMETOOLONG  a name is longer than %SHMZONE_NAME_MAX; a root's name than
 *             %SHMZONE_ROOT_NAME_MAX
 * ENOENT      OPEN, UNLINK: there is no such name
 * ENOMEM      the zone's limit or the kernel's memory is exhausted
 * ENOSPC      ROOT_SET: there are %SHMZONE_ROOTS_MAX roots already; CACHE_REFILL,
 *             CACHE_DRAIN: there is no room in the cache, or not now; mmap: an
 *             owned zone has 32766 clients already
 * ENOTTY      no such command for this kind of descriptor
 * EOPNOTSUPP  an unknown flag, or a reserved field that is not zero; GIVE, OFFER,
 *             TAKE, LINK: the zone is not owned
 * ENXIO       CACHE_*: the caller has no such cache, or none at all; ALLOC, GIVE,
 *             OFFER, TAKE and LINK in an owned zone: the caller is no client
 * EOVERFLOW   CREATE: the zone is larger than out_zone_bytes_max of INFO
 * EPERM       UNLINK, PERMIT: not the owner of the name; ALLOC, SET_LIMIT,
 *             ADD_SEALS and mmap: a seal forbids it; FREE, GIVE, OFFER, TAKE, LINK:
 *             the object is another's, or not on offer
 * ESRCH       GIVE, TAKE: there is no such client
 * ETIMEDOUT   ALLOC or CACHE_SYNC waited as long as it was told to
 * =========== ============================================================
 */

/* 0xb9 has no user in the kernel's ioctl-number registry as of Linux 6.12. */
#define SHMZONE_IOC_MAGIC	0xb9

#define SHMZONE_ABI_VERSION	1

/* Bytes in a name at most, without the terminating NUL. */
#define SHMZONE_NAME_MAX	255

/* Entries in one ALLOC or FREE at most. */
#define SHMZONE_BATCH_MAX	4096

/* Names in one LIST at most. */
#define SHMZONE_LIST_MAX	1024

/* Groups are numbered from 0 to SHMZONE_GROUPS - 1. */
#define SHMZONE_GROUPS		16

/* Number of size classes, class 0 (spans) included. */
#define SHMZONE_CLASSES		45

/* Where the page map begins among the mmap offsets of a zone descriptor. */
#define SHMZONE_MMAP_PAGE_MAP	(1ULL << 48)

enum {
	SHMZONE_CMD_INFO = 0x00,
	SHMZONE_CMD_CREATE = 0x01,
	SHMZONE_CMD_OPEN = 0x02,
	SHMZONE_CMD_UNLINK = 0x03,
	SHMZONE_CMD_LIST = 0x04,
	SHMZONE_CMD_PERMIT = 0x05,
	SHMZONE_CMD_ALLOC = 0x10,
	SHMZONE_CMD_FREE = 0x11,
	SHMZONE_CMD_QUERY = 0x12,
	SHMZONE_CMD_REOPEN = 0x14,
	SHMZONE_CMD_SET_LIMIT = 0x15,
	SHMZONE_CMD_ADD_SEALS = 0x16,
	SHMZONE_CMD_GET_SEALS = 0x17,
	SHMZONE_CMD_STAT = 0x18,
	SHMZONE_CMD_CLASS_STAT = 0x19,
	SHMZONE_CMD_ROOT_GET = 0x20,
	SHMZONE_CMD_ROOT_SET = 0x21,
	SHMZONE_CMD_ROOT_LIST = 0x22,
	SHMZONE_CMD_CACHE_REFILL = 0x30,
	SHMZONE_CMD_CACHE_DRAIN = 0x31,
	SHMZONE_CMD_CACHE_RECLAIM = 0x32,
	SHMZONE_CMD_CACHE_CLIENT = 0x33,
	SHMZONE_CMD_CACHE_SYNC = 0x34,
	SHMZONE_CMD_GIVE = 0x38,
	SHMZONE_CMD_OFFER = 0x39,
	SHMZONE_CMD_TAKE = 0x3a,
	SHMZONE_CMD_WALK = 0x3b,
	SHMZONE_CMD_LINK = 0x3c,
	SHMZONE_CMD_CHECK = 0x3f,
};

/**
 * DOC: page map
 *
 * Every page of a slab, and the first page of a span, has an entry that is not
 * zero; every other page has zero. The entries are a help for programs and
 * tools; the kernel writes them and never believes them.
 *
 * Bits 0-5 are the size class, 6-9 the group, 10-11 the kind, 12-27 in owned zones
 * a tag (see <linux/shmzone_owner.h>); the others are reserved and zero.
 */
#define SHMZONE_PAGE_CLASS(e)	((e) & 0x3f)
#define SHMZONE_PAGE_GROUP(e)	(((e) >> 6) & 0xf)
#define SHMZONE_PAGE_KIND(e)	(((e) >> 10) & 0x3)

#define SHMZONE_KIND_NONE	0
#define SHMZONE_KIND_SLAB	1
#define SHMZONE_KIND_SPAN	2
#define SHMZONE_KIND_MIXED	3	/* a slab; only in owned zones */

/* The class of spans: allocations in whole pages, larger than any slot. */
#define SHMZONE_CLASS_SPAN	0

/**
 * struct shmzone_class - one row of the class table
 * @slot_bytes: bytes in a slot; 0 for class 0, the spans
 * @slab_pages: pages in a slab; 0 for class 0
 * @slab_slots: slots in a slab; 0 for class 0
 * @__reserved: zero
 *
 * Classes 1 and up are in order of rising slot size. A slot is aligned to the
 * largest power of two that divides @slot_bytes, up to the page size.
 */
struct shmzone_class {
	__u32 slot_bytes;
	__u32 slab_pages;
	__u32 slab_slots;
	__u32 __reserved;
};

/*
 * What a kernel has beyond creating, mapping, allocating, freeing and asking:
 * bits of out_features. New ones come with what is added to the ABI.
 */
#define SHMZONE_FEATURE_COMMITTED (1ULL << 0)	/* committed zones */
#define SHMZONE_FEATURE_STRICT	(1ULL << 1)	/* strict zones */
#define SHMZONE_FEATURE_WAIT	(1ULL << 2)	/* ALLOC that waits, and poll */
#define SHMZONE_FEATURE_ROOTS	(1ULL << 3)	/* ROOT_* */
#define SHMZONE_FEATURE_SEALS	(1ULL << 4)	/* ADD_SEALS, GET_SEALS */
#define SHMZONE_FEATURE_CACHES	(1ULL << 5)	/* caches, CACHE_* */
#define SHMZONE_FEATURE_OWNED	(1ULL << 6)	/* owned zones, OWNER_* */
#define SHMZONE_FEATURE_CHECKED	(1ULL << 7)	/* checked zones */

/**
 * struct shmzone_info - ioctl(SHMZONE_INFO): what this kernel offers
 * @size: sizeof(struct shmzone_info)
 * @flags: must be 0
 * @classes: pointer to an array of struct shmzone_class for the class table,
 *           or 0 if it is not wanted
 * @class_count: entries that fit into @classes; the rest of a longer table is
 *               left out
 * @class_size: sizeof(struct shmzone_class) as the caller knows it: at least
 *              16 if @classes is given; bytes the kernel does not know are
 *              zeroed
 * @out_abi_version: %SHMZONE_ABI_VERSION of the module, for display
 * @out_page_bytes: bytes in a page
 * @out_features: SHMZONE_FEATURE_* that it has
 * @out_zone_bytes_max: bytes in a zone at most
 * @out_class_count: classes in the table, class 0 included
 * @out_group_count: number of groups
 * @out_batch_max: entries in one ALLOC or FREE at most
 * @out_name_max: bytes in a name at most
 * @out_zones: zones that exist on this machine at this moment
 * @out_refused_calls: calls refused on control descriptors since the module
 *                     was loaded, for the reasons given at struct shmzone_stat
 *
 * Works on control and zone descriptors.
 */
struct shmzone_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 classes;
	__u32 class_count;
	__u32 class_size;
	__u32 out_abi_version;
	__u32 out_page_bytes;
	__aligned_u64 out_features;
	__aligned_u64 out_zone_bytes_max;
	__u32 out_class_count;
	__u32 out_group_count;
	__u32 out_batch_max;
	__u32 out_name_max;
	__aligned_u64 out_zones;
	__aligned_u64 out_refused_calls;
};

#define SHMZONE_INFO_SIZE_VER0	80
#define SHMZONE_INFO		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_INFO)

/* Fail with EEXIST if the name exists, instead of opening that zone. */
#define SHMZONE_CREATE_EXCL	(1U << 0)
/* Let the zone live until UNLINK, or its namespace's end, users or not. */
#define SHMZONE_CREATE_PERSIST	(1U << 1)
/* ALLOC brings the memory in, see <linux/shmzone_kinds.h>. */
#define SHMZONE_CREATE_COMMITTED (1U << 2)
/* What is not allocated cannot be touched; see the same. */
#define SHMZONE_CREATE_STRICT	(1U << 3)
/* What is allocated has an owner; see <linux/shmzone_owner.h>. */
#define SHMZONE_CREATE_OWNED	(1U << 4)
/* Frees are checked before anything is used again; see <linux/shmzone_kinds.h>. */
#define SHMZONE_CREATE_CHECKED	(1U << 5)

/**
 * struct shmzone_create - ioctl(SHMZONE_CREATE): make a zone
 * @size: sizeof(struct shmzone_create)
 * @flags: %SHMZONE_CREATE_EXCL and %SHMZONE_CREATE_PERSIST, which need a name;
 *         %SHMZONE_CREATE_COMMITTED, %SHMZONE_CREATE_STRICT,
 *         %SHMZONE_CREATE_OWNED, and with that %SHMZONE_CREATE_CHECKED
 * @zone_bytes: bytes of address space: a multiple of the page size, at least
 *              two pages. It costs nothing until it is used. The first page
 *              is never allocated and slabs take three to eight pages, so a
 *              zone of nine pages serves every slot size.
 * @limit_bytes: bytes that allocations may take in whole pages, a multiple of
 *               the page size and at most @zone_bytes; 0 means no limit but
 *               the size
 * @name: pointer to the name, or 0 for a zone without one
 * @name_len: bytes in the name, 1 to %SHMZONE_NAME_MAX, without '/' and NUL;
 *            0 without a name
 * @mode: permission bits of the name (0 to 0666, as for files: read and write
 *        for owner, group and others, no execute; the umask does not apply),
 *        0 without a name
 *
 * If the name exists in the caller's IPC namespace and %SHMZONE_CREATE_EXCL is
 * not given, that zone is opened for reading and writing as by OPEN, whatever
 * its size, limit, mode and kind, and whether it persists or not. No half-made zone is
 * ever visible to others.
 *
 * Returns a zone descriptor open for reading and writing.
 */
struct shmzone_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 zone_bytes;
	__aligned_u64 limit_bytes;
	__aligned_u64 name;
	__u32 name_len;
	__u32 mode;
};

#define SHMZONE_CREATE_SIZE_VER0 40
#define SHMZONE_CREATE		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_CREATE)

/* A descriptor that can map and query, but not write, allocate or free. */
#define SHMZONE_OPEN_RDONLY	(1U << 0)

/**
 * struct shmzone_open - ioctl(SHMZONE_OPEN): open a zone by its name
 * @size: sizeof(struct shmzone_open)
 * @flags: 0 or %SHMZONE_OPEN_RDONLY
 * @name: pointer to the name
 * @name_len: bytes in the name
 * @__reserved: must be 0
 *
 * Returns a zone descriptor. The caller needs read permission by the name's
 * owner, group and mode, or CAP_IPC_OWNER over the namespace, and write
 * permission unless %SHMZONE_OPEN_RDONLY is given: EACCES.
 */
struct shmzone_open {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 __reserved;
};

#define SHMZONE_OPEN_SIZE_VER0	24
#define SHMZONE_OPEN		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_OPEN)

/**
 * struct shmzone_unlink - ioctl(SHMZONE_UNLINK): take a zone's name away
 * @size: sizeof(struct shmzone_unlink)
 * @flags: must be 0
 * @name: pointer to the name
 * @name_len: bytes in the name
 * @__reserved: must be 0
 *
 * The zone lives on for those who have it; the name is free again at once.
 * Only creator and owner of the name and CAP_SYS_ADMIN may do this: EPERM.
 */
struct shmzone_unlink {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 __reserved;
};

#define SHMZONE_UNLINK_SIZE_VER0 24
#define SHMZONE_UNLINK		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_UNLINK)

/* Wait until there is memory for at least one object. */
#define SHMZONE_ALLOC_WAIT	(1U << 0)

/**
 * struct shmzone_alloc - ioctl(SHMZONE_ALLOC): allocate objects of one size
 * @size: sizeof(struct shmzone_alloc)
 * @flags: 0 or %SHMZONE_ALLOC_WAIT
 * @bytes: bytes in each object, at least 1
 * @offsets: pointer to an array of @count __u64, filled with the offsets
 * @count: objects wanted, 1 to %SHMZONE_BATCH_MAX
 * @align: alignment in bytes: a power of two up to the page size, or 0 for
 *         8 (16 where @bytes is a multiple of 16)
 * @group: 0 to %SHMZONE_GROUPS - 1; slots of different groups never share a
 *         page
 * @__reserved: must be 0
 * @out_count: objects allocated: the first @out_count entries of @offsets
 * @__out_reserved: zero
 * @timeout_ns: with %SHMZONE_ALLOC_WAIT: nanoseconds after which to give up, by
 *              CLOCK_MONOTONIC; 0 means never. Without it: must be 0
 *
 * Returns 0 if at least one object was allocated, else ENOMEM. If the answer
 * cannot be written in full, nothing is allocated: EFAULT. Objects are not
 * zeroed. Needs a descriptor open for writing: EACCES. EPERM after
 * %SHMZONE_SEAL_ALLOC. In owned zones the caller has to be a client: ENXIO.
 *
 * With %SHMZONE_ALLOC_WAIT, and while there is no memory for a single object:
 * ETIMEDOUT at the end of @timeout_ns, EINTR if a signal arrives, ENXIO if in an
 * owned zone the caller is no client any more. The call is
 * never restarted by itself, with SA_RESTART neither, since its time and its
 * place in the queue would begin anew; being stopped and continued may end it
 * with EINTR too.
 */
struct shmzone_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__aligned_u64 offsets;
	__u32 count;
	__u32 align;
	__u32 group;
	__u32 __reserved;
	__u32 out_count;
	__u32 __out_reserved;
	__aligned_u64 timeout_ns;
};

#define SHMZONE_ALLOC_SIZE_VER0	48
#define SHMZONE_ALLOC		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_ALLOC)

/**
 * struct shmzone_free - ioctl(SHMZONE_FREE): free objects
 * @size: sizeof(struct shmzone_free)
 * @flags: must be 0
 * @offsets: pointer to an array of @count __u64, the offsets as allocated
 * @count: objects to free, 1 to %SHMZONE_BATCH_MAX
 * @__reserved: must be 0
 * @bytes: 0, or the @bytes of the ALLOC of all of them: an object whose slot
 *         or span is not of the size that would be chosen for @bytes at any
 *         alignment is not freed
 * @out_count: objects freed
 * @out_bad: index in @offsets of the first that was refused, or @count
 * @out_error: why it was: an errno value, or 0 if all were freed
 * @__out_reserved: zero
 *
 * Frees all that can be freed, whatever else @offsets names. An offset that is
 * not the start of a live allocation of this zone is refused: EINVAL. In owned
 * zones so is one that belongs to another client: EPERM. An object named twice is
 * freed once. A fatal signal can end the call early. Returns 0 if at least one
 * object was freed, else the error. ENOMEM and EFAULT come before anything was
 * freed, unless the structure is made unwritable during the call. Needs a
 * descriptor open for writing: EACCES.
 */
struct shmzone_free {
	__u32 size;
	__u32 flags;
	__aligned_u64 offsets;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 bytes;
	__u32 out_count;
	__u32 out_bad;
	__u32 out_error;
	__u32 __out_reserved;
};

#define SHMZONE_FREE_SIZE_VER0	48
#define SHMZONE_FREE		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_FREE)

/**
 * struct shmzone_query - ioctl(SHMZONE_QUERY): what is allocated at an offset
 * @size: sizeof(struct shmzone_query)
 * @flags: must be 0
 * @offset: the offset, as allocated
 * @out_bytes: usable bytes, at least those asked for
 * @out_class: size class, %SHMZONE_CLASS_SPAN for a span
 * @out_group: group given at allocation
 * @out_owner: number of the client that owns it, 0 for nobody, and where the zone
 *             is not owned
 *
 * EINVAL if @offset is not the start of a live allocation.
 */
struct shmzone_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 offset;
	__aligned_u64 out_bytes;
	__u32 out_class;
	__u32 out_group;
	__aligned_u64 out_owner;
};

#define SHMZONE_QUERY_SIZE_VER0	32
#define SHMZONE_QUERY		_IO(SHMZONE_IOC_MAGIC, SHMZONE_CMD_QUERY)

#include <linux/shmzone_cache.h>
#include <linux/shmzone_kinds.h>
#include <linux/shmzone_owner.h>
#include <linux/shmzone_rights.h>
#include <linux/shmzone_roots.h>
#include <linux/shmzone_stat.h>

#endif /* _LINUX_SHMZONE_H */
