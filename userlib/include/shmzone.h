/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libshmzone: allocate memory that several processes share.
 *
 * A *zone* is a range of memory that every process with access to it maps as a
 * whole, at an address of its own, together with an allocator that all of them
 * use. What is allocated and what is free is known to the kernel alone, so no
 * stray write and no killed process can damage a zone's allocator.
 *
 * Pointers and offsets. A pointer into a zone is valid in the process that got
 * it, its threads, and its children after fork(2). Between processes, and in
 * data structures inside the zone, speak of an object by its *offset*, the
 * position in bytes from the zone's start: see shmz_offset(), shmz_pointer().
 * Offset 0 is never an object; it serves as the NULL of offsets.
 *
 * Ownership. Objects belong to the zone: any process may free what another one
 * allocated. shmz_close() and the end of a process free no object. (Both are
 * otherwise in owned zones, see SHMZ_OWNED.) A zone ends,
 * with all that is in it, when no process has it open or mapped any more; one
 * created with SHMZ_PERSIST not before shmz_unlink(), so that a program can be
 * restarted and find all as it was.
 *
 * Threads and fork. A handle may be used by any number of threads at once,
 * without locks; only shmz_close() must be the last use of it. After fork(2)
 * parent and child both use their copy of the handle, and each closes its own.
 * After execve(2) a zone is opened anew: descriptors are close-on-exec.
 *
 * Caches. Each thread has a stock of free slots of its own, in memory that is the
 * kernel's, so that most calls do without a system call. Whatever becomes of the
 * process, the kernel gives its stocks back to the zone; it also takes back those
 * that lie idle, or that others need. The child of a fork, however it was made,
 * begins with empty ones. Signal handlers and destructors of threads may allocate
 * and free, and the child of vfork(2). What has no cache works too, but slower:
 * shmzone(7) has the limits.
 *
 * Errors. Functions that return a pointer return NULL and set errno. Those that
 * return int or ssize_t return a negative errno value and leave errno alone. On
 * success errno is never touched. ENOENT or ENODEV from shmz_create() or
 * shmz_open() with a name that should exist: is the kernel module loaded?
 *
 * Sizes. All sizes are in bytes. A size of 0 is taken as 1 wherever an object
 * is allocated, so that each object has an offset of its own; it never means
 * "free".
 */
#ifndef SHMZONE_H
#define SHMZONE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/shmzone.h>

#if UINTPTR_MAX < 0xffffffffffffffff
#error "libshmzone maps whole zones and needs 64-bit pointers"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * There is no __attribute__((malloc)) here on purpose. It lets the compiler
 * drop stores to an object whose pointer never leaves the function; but an
 * offset that leaves it is enough for another process to read the object.
 */
#define SHMZ_MUST_CHECK	__attribute__((warn_unused_result))
#define SHMZ_SIZE(...)	__attribute__((alloc_size(__VA_ARGS__)))
#define SHMZ_ALIGN(n)	__attribute__((alloc_align(n)))

/* A zone as this process has it mapped. */
struct shmz;

/* struct shmz_options: fail with EEXIST instead of opening an existing zone. */
#define SHMZ_EXCL	(1U << 0)
/* The same: let a new zone live until shmz_unlink(), whoever uses it. */
#define SHMZ_PERSIST	(1U << 1)
/*
 * The same: allocating brings the memory in, so that a shortage is ENOMEM there,
 * and not a signal when the memory is touched.
 */
#define SHMZ_COMMITTED	(1U << 2)
/* The same: touching pages not allocated is SIGBUS; freed ones lose their memory. */
#define SHMZ_STRICT	(1U << 3)
/*
 * The same: what a process allocates is its own. Nobody else can free it, and it is
 * freed when the process ends or closes its last handle of the zone, but for what
 * it has given away; see "Owners" below. To allocate takes a handle with caches.
 */
#define SHMZ_OWNED	(1U << 4)
/* The same, with SHMZ_OWNED: frees are checked before anything is used again. */
#define SHMZ_CHECKED	(1U << 5)
/*
 * The same, and shmz_open(): a handle without caches. Each call is then a system
 * call, and each free is checked in full before it returns. A handle that was
 * opened without it, of the same zone, is not affected.
 */
#define SHMZ_UNCACHED	(1U << 16)

/*
 * struct shmz_options - what shmz_create() can be told
 * @size: sizeof(struct shmz_options). The structure may grow at its end; zero
 *	  in a member always means the default.
 * @limit: bytes that allocations may take in whole pages, rounded up to a page;
 *	   at most the size of the zone. 0: the size of the zone.
 * @mode: who may open the zone by its name, as for files, of 0666; the umask
 *	  does not apply. 0: 0600.
 * @flags: SHMZ_EXCL, SHMZ_PERSIST, which need a name; SHMZ_COMMITTED,
 *	   SHMZ_STRICT, SHMZ_OWNED, SHMZ_CHECKED, SHMZ_UNCACHED; or 0
 */
struct shmz_options {
	size_t size;
	uint64_t limit;
	unsigned int mode;
	unsigned int flags;
};

/*
 * Zones
 */

/*
 * Create a zone of @bytes of address space, rounded up to whole pages and to at
 * least two, and map it. Address space costs nothing: 1 TiB is as cheap as
 * 1 MiB, and memory is used only where something is allocated and written.
 *
 * With a @name of 1 to SHMZONE_NAME_MAX bytes without '/', other processes of
 * the IPC namespace find the zone by shmz_open(). If the name exists, that zone
 * is opened instead, whatever its size and options, unless SHMZ_EXCL is given;
 * shmz_size() tells which size it has. With @name NULL only children and
 * those who are sent the descriptor can reach it. @opts may be NULL.
 *
 * errno: EEXIST (with SHMZ_EXCL), EACCES, EDQUOT (the user has no more zones or
 * bytes to have), EINVAL, ENAMETOOLONG, ENOMEM, EOVERFLOW (zone too large),
 * E2BIG and EOPNOTSUPP (@opts from the future), and those of open(2) on
 * /dev/shmzone.
 */
SHMZ_MUST_CHECK struct shmz *shmz_create(const char *name, uint64_t bytes,
					 const struct shmz_options *opts);

/* shmz_open(): map read-only; allocating and freeing then fails with EACCES. */
#define SHMZ_RDONLY	(1U << 0)
/*
 * shmz_open(): map read-only, but keep all other rights: to allocate, to free,
 * to set the limit, to seal. So is a zone opened that is sealed against writing.
 */
#define SHMZ_MAP_RDONLY	(1U << 1)

/*
 * Open and map the zone called @name. @flags: SHMZ_RDONLY, SHMZ_MAP_RDONLY,
 * SHMZ_UNCACHED, or 0.
 *
 * errno: ENOENT (no such name), EACCES, EINVAL, ENAMETOOLONG, ENOMEM,
 * EOPNOTSUPP (unknown flag), EPERM (without flags: the zone is sealed against
 * writing), and those of open(2) on /dev/shmzone.
 */
SHMZ_MUST_CHECK struct shmz *shmz_open(const char *name, unsigned int flags);

/*
 * Map the zone behind the descriptor @fd, inherited or received over a socket.
 * On success, and only then, the handle owns @fd and closes it in shmz_close().
 * A descriptor opened read-only gives a read-only handle.
 *
 * errno: EBADF; ENOTTY or EINVAL (or whatever its driver says) if @fd is
 * not a zone; ENOMEM; EPERM as shmz_open().
 */
SHMZ_MUST_CHECK struct shmz *shmz_adopt(int fd);

/*
 * The descriptor of the zone, to be sent on with SCM_RIGHTS or kept across
 * execve(2) by clearing FD_CLOEXEC. It still belongs to the handle.
 *
 * poll(2) and epoll(7) report POLLOUT on it, unless it is read-only, but for the
 * time from an allocation that failed for want of memory, in any process, to
 * the next free: so poll after ENOMEM, and try again. (Failures count from the
 * first poll of the zone on.) It may fail again, as others are woken too.
 */
int shmz_fd(const struct shmz *z);

/*
 * One more descriptor of the zone, which is the caller's, close-on-exec; with
 * SHMZ_RDONLY in @flags a read-only one, to be handed to who is only to read.
 *
 * Returns the descriptor, -EACCES (more than the handle itself may),
 * -EOPNOTSUPP (unknown flag), -EMFILE or -ENOMEM.
 */
int shmz_reopen(const struct shmz *z, unsigned int flags);

/*
 * Unmap the zone, close its descriptor and free the handle; pointers into the
 * zone become invalid in this process. No object is freed. NULL is allowed.
 */
void shmz_close(struct shmz *z);

/*
 * Take the name away from a zone, which lives on for those who have it.
 *
 * Returns 0, -ENOENT (no such name), -EPERM (not the owner), -EINVAL or
 * -ENAMETOOLONG, or an error of open(2) on /dev/shmzone.
 */
int shmz_unlink(const char *name);

/*
 * Change who may open a zone by its name: the mode, of 0666; the owner and the
 * group, of which (uid_t)-1 or (gid_t)-1 stays as it is. Creator and owner alone
 * may do it, and root. Those who have the zone open keep it.
 *
 * Returns 0, -ENOENT, -EPERM, -EINVAL (bad name or mode; no such user or group
 * in this user namespace) or -ENAMETOOLONG, or an error of open(2) on
 * /dev/shmzone.
 */
int shmz_chmod(const char *name, unsigned int mode);
int shmz_chown(const char *name, uid_t uid, gid_t gid);

/*
 * The names in this IPC namespace that the caller may open for reading, @count
 * of them at a time, in the order in which the zones were created. Begin with
 * *@cursor 0, and call again with what it was set to until that is 0: it may
 * then have told fewer than @count, or none. @entry_size is sizeof(entries[0]).
 *
 * Returns how many entries were filled in, -EINVAL (@count is 0, @entry_size is
 * too small), -EFAULT or -ENOMEM, or an error of open(2) on /dev/shmzone.
 */
SHMZ_MUST_CHECK
int shmz_list(struct shmzone_entry *entries, size_t entry_size,
	      unsigned int count, uint64_t *cursor);

/*
 * The zone as a whole
 */

/*
 * Change the limit to @bytes, rounded up to a page; 0: the size of the zone. A
 * limit below what is taken takes nothing away, but nothing more is taken.
 *
 * Returns 0, -EACCES (read-only handle), -EDQUOT (the zone's creator has no more
 * bytes to have), -EINVAL (larger than the zone) or -EPERM (sealed).
 */
int shmz_set_limit(struct shmz *z, uint64_t bytes);

/*
 * Seals take something away from all users of the zone, for good. @seals are of
 * SHMZONE_SEAL_ALLOC, SHMZONE_SEAL_LIMIT, SHMZONE_SEAL_WRITE and
 * SHMZONE_SEAL_SEAL, see <linux/shmzone.h>. Mappings stay as they are, that of
 * this handle too.
 *
 * Returns 0, -EACCES (read-only handle), -EOPNOTSUPP (unknown seal) or -EPERM
 * (sealed against that); shmz_get_seals() returns the seals.
 */
int shmz_add_seals(struct shmz *z, unsigned int seals);
int shmz_get_seals(const struct shmz *z);

/*
 * Allocation
 *
 * Objects are not zeroed unless it says so. They are aligned to 8 bytes, and to
 * 16 if their size is a multiple of 16, which suits every C type of that size.
 *
 * The forms without a group use group 0. Slots of different groups never share
 * a page, so objects that will die together are best given a group of their
 * own, 0 to SHMZONE_GROUPS - 1: they then give whole pages back together.
 *
 * errno: ENOMEM (the zone, its limit or the kernel's memory is exhausted),
 * EINVAL (no such group, bad alignment), EACCES (read-only handle), EPERM
 * (sealed against allocation).
 */
SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_alloc(struct shmz *z, size_t bytes);

SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_alloc_group(struct shmz *z, size_t bytes, unsigned int group);

/*
 * The same, and how many bytes may be used, which is @bytes or more: for what
 * can grow. They count as what was asked for, as with shmz_free_sized().
 */
SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_alloc_at_least(struct shmz *z, size_t bytes, size_t *usable);

SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_alloc_at_least_group(struct shmz *z, size_t bytes, size_t *usable,
				unsigned int group);

/* shmz_alloc_wait(): for as long as it takes. */
#define SHMZ_FOREVER	UINT64_MAX

/*
 * Wait for memory, @timeout_ns nanoseconds at most; 0 is shmz_alloc(). Those who
 * wait are served in order of arrival, so a small request waits behind a large
 * one that came before. Whoever must not block: poll(2) on shmz_fd().
 *
 * errno: ETIMEDOUT; EINTR (a signal arrived, with SA_RESTART too); ENOMEM (no
 * free would help, as the zone or its limit is smaller than that); or as above.
 */
SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_alloc_wait(struct shmz *z, size_t bytes, uint64_t timeout_ns);

SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_alloc_wait_group(struct shmz *z, size_t bytes, uint64_t timeout_ns, unsigned int group);

/* Zeroed. */
SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_zalloc(struct shmz *z, size_t bytes);

SHMZ_MUST_CHECK SHMZ_SIZE(2)
void *shmz_zalloc_group(struct shmz *z, size_t bytes, unsigned int group);

/* An array of @n elements, zeroed. ENOMEM also if @n * @bytes overflows. */
SHMZ_MUST_CHECK SHMZ_SIZE(2, 3)
void *shmz_calloc(struct shmz *z, size_t n, size_t bytes);

SHMZ_MUST_CHECK SHMZ_SIZE(2, 3)
void *shmz_calloc_group(struct shmz *z, size_t n, size_t bytes, unsigned int group);

/*
 * Aligned to @align bytes: a power of two, at most the size of a page. Unlike
 * with C's aligned_alloc(), @bytes need not be a multiple of @align.
 */
SHMZ_MUST_CHECK SHMZ_SIZE(3) SHMZ_ALIGN(2)
void *shmz_aligned_alloc(struct shmz *z, size_t align, size_t bytes);

SHMZ_MUST_CHECK SHMZ_SIZE(3) SHMZ_ALIGN(2)
void *shmz_aligned_alloc_group(struct shmz *z, size_t align, size_t bytes,
			       unsigned int group);

/*
 * Give @p room for @bytes, in place or by moving it; its contents are kept up
 * to the lesser of both sizes, and so is its group if none is given, but not an
 * alignment from shmz_aligned_alloc(). With @p NULL: shmz_alloc(). Other processes that hold
 * the offset of an object that moves are not told.
 *
 * On failure, which is possible even when the object is made smaller, @p stays as
 * it is. errno: as above; EINVAL also if shmz_usable_size() sees no object.
 */
SHMZ_MUST_CHECK SHMZ_SIZE(3)
void *shmz_realloc(struct shmz *z, void *p, size_t bytes);

SHMZ_MUST_CHECK SHMZ_SIZE(3)
void *shmz_realloc_group(struct shmz *z, void *p, size_t bytes, unsigned int group);

/*
 * Free an object, whichever process allocated it. NULL is allowed.
 *
 * A pointer that lies outside of the zone, on a page without objects, or is not
 * a multiple of 8 gives -EINVAL, as does any that is no span; it changes nothing
 * and is counted by the zone. Other frees are checked when they leave the
 * thread's cache: what was no live object is refused then, and counted, but
 * until then this thread may be given it again. Without a cache (SHMZ_UNCACHED)
 * every free is checked before it returns. Returns 0, -EINVAL or -EACCES
 * (read-only handle).
 */
int shmz_free(struct shmz *z, void *p);

/*
 * Free an object of group 0 of which the size is known: @bytes is what was last
 * asked for, at allocation or by shmz_realloc(). This is quicker, as nothing has
 * to be looked up, and so @bytes is believed: with a wrong size this thread may be
 * given a smaller slot than it asks for. Without a cache a wrong size (one that
 * would not have led to a slot or span of this size) is -EINVAL, and the object
 * stays. Objects of other groups are better left to shmz_free(): this one may
 * let them serve group 0 next.
 */
int shmz_free_sized(struct shmz *z, void *p, size_t bytes);

/*
 * Bytes that may be used at @p, at least those asked for; 0 if @p is NULL or is
 * seen not to be an object. In a slab only the size class is looked at, so a
 * slot that is free, or a pointer inside of one, goes unnoticed; frees alone
 * are checked in full. Works on read-only handles.
 */
size_t shmz_usable_size(const struct shmz *z, const void *p);

/* The group of the object at @p, -EINVAL if there is seen to be none, as above. */
int shmz_group_of(const struct shmz *z, const void *p);

/*
 * Whether @p is the start of an allocation: 1, 0 or a negative errno. The kernel
 * is asked, to which the free slots in caches are allocated too.
 */
int shmz_is_allocation(const struct shmz *z, const void *p);

/*
 * Allocate @n objects of @bytes each in one go. Returns how many were
 * allocated, the first so many entries of @out, which is less than @n only when
 * memory ran out; or a negative errno if none was. Later entries of @out are
 * undefined.
 */
SHMZ_MUST_CHECK
ssize_t shmz_alloc_batch(struct shmz *z, size_t bytes, void **out, size_t n);

SHMZ_MUST_CHECK
ssize_t shmz_alloc_batch_group(struct shmz *z, size_t bytes, void **out,
			       size_t n, unsigned int group);

/*
 * Free @n objects of any sizes in one go. What cannot be freed (NULL is none of
 * them) is left out, the others are freed all the same. Returns how many were
 * freed, or a negative errno if none was: -EINVAL, -EACCES, or -ENOMEM, as the
 * kernel copies long arrays.
 */
ssize_t shmz_free_batch(struct shmz *z, void *const *ptrs, size_t n);

/*
 * Caches
 */

/*
 * Give all that this thread has in its cache back to the zone: for a thread that
 * is not going to use it for a while. Its next calls begin with an empty cache. What
 * it left for other threads of the process stays where it is until that is idle.
 *
 * Returns 0, or -EBUSY in a signal handler that interrupted the library, or where
 * one left it by longjmp(3); in a checked zone also, once, the first error of this
 * thread's frees that were refused: -EINVAL, or -EPERM for what another client owns.
 */
int shmz_cache_flush(struct shmz *z);

/*
 * Give back what is in the caches of all threads of all processes, but those that
 * are in the middle of a call: for exact figures, or before other zones need the
 * memory. Nobody has to do this for allocations of this zone to succeed.
 *
 * Returns how many slots, or -EACCES (read-only handle), -EINTR (a fatal signal)
 * or -ENOTTY (a kernel module without caches).
 */
ssize_t shmz_reclaim_caches(struct shmz *z);

/*
 * Roots
 *
 * A zone has a small table of named objects, by which processes find what
 * others have put there: SHMZONE_ROOTS_MAX at most, with names of 1 to
 * SHMZONE_ROOT_NAME_MAX bytes. All processes have the same table, and each call
 * happens at one instant for all of them.
 *
 * A root does not keep its object: free it only once no root names it, and
 * nobody who has looked it up uses it any more.
 *
 * Errors, as errno or negative: EINVAL (a bad name, or not the start of a live
 * object), ENAMETOOLONG; for those that change a root also EACCES (read-only
 * handle), and ENOSPC (the table is full) and ENOMEM if it is a new one.
 */

/* The object called @name; NULL and ENOENT if there is none. */
SHMZ_MUST_CHECK void *shmz_root_get(const struct shmz *z, const char *name);

/*
 * The object called @name; if there is none, a new one of @bytes, zeroed, that
 * @init, unless NULL, was called with. Of processes that do this at the same
 * time only one's object becomes the root, and all of them get that one: what
 * the others made is freed again. So @init may run in several processes, each
 * time for another object, of which nobody else knows yet: it is to fill @p and
 * to do nothing that would have to be undone. If it returns a negative errno
 * value, the object is freed and errno set. A process killed on the way leaves
 * an object allocated that nobody knows, but no root half made.
 *
 * errno: as above, those of shmz_alloc(), and those of @init.
 */
SHMZ_MUST_CHECK
void *shmz_root_init(struct shmz *z, const char *name, size_t bytes,
		     int (*init)(void *p, void *arg), void *arg);

/* Call @p, which must not be NULL, @name, whatever had that name before. */
int shmz_root_set(struct shmz *z, const char *name, const void *p);

/*
 * Call @p @name only if *@expected is called so now, where NULL means no object:
 * as @p it takes the name away. Returns 0, or -EAGAIN with *@expected set to what
 * has the name, or another negative errno value.
 */
SHMZ_MUST_CHECK
int shmz_root_cas(struct shmz *z, const char *name, void **expected,
		  const void *p);

/* Take the name away; the object stays. -ENOENT if there was none. */
int shmz_root_delete(struct shmz *z, const char *name);

/*
 * The first @count roots by name, or, with @after not NULL, those that follow
 * that name. @root_size is sizeof(roots[0]). Returns how many were filled in, or
 * a negative errno value.
 */
int shmz_root_list(const struct shmz *z, const char *after,
		   struct shmzone_root *roots, size_t root_size,
		   unsigned int count);

/*
 * Addresses
 */

/* The offset of @p, which may point anywhere into the zone; 0 if outside. */
uint64_t shmz_offset(const struct shmz *z, const void *p);

/* The address of @offset in this process; NULL for 0 and beyond the zone. */
void *shmz_pointer(const struct shmz *z, uint64_t offset);

/* Where the zone is mapped, and its size: the range [base, base + size). */
void *shmz_base(const struct shmz *z);
uint64_t shmz_size(const struct shmz *z);

/*
 * Owners, see shmz_give(3)
 *
 * In a zone that was created with SHMZ_OWNED each object belongs to a *client*, a
 * process with caches, or to nobody: then all may free it. shmz_free() of what is
 * another's is -EPERM. The child of a fork is a client of its own. Errors: -EINVAL
 * (no object), -EPERM (another's), -EBUSY (tied), -ESRCH (no such client), -ENOMEM, -ENXIO
 * (this process is no client), -EOPNOTSUPP (the zone is not owned), -EACCES.
 */

/* The number of this process as a client, never used again. In all zones. */
int shmz_client(const struct shmz *z, uint64_t *client);

/*
 * Wait until a client is gone, and what its caches held and it owned is free; for
 * ever with SHMZ_FOREVER. Returns 0, -ETIMEDOUT or -EINTR. In all zones.
 */
int shmz_client_wait(const struct shmz *z, uint64_t client, uint64_t timeout_ns);

/* Give an object to another client, or with 0 to nobody. */
int shmz_give(struct shmz *z, void *p, uint64_t client);

/* Let whoever learns of an object take it; until then it stays this process's. */
int shmz_offer(struct shmz *z, void *p);

/* Take what @client offers, else -EPERM, or with 0 what is nobody's. One succeeds. */
int shmz_take(struct shmz *z, void *p, uint64_t client);

/* Free, give, take an object with @parent from now on, which has none itself; or untie it. */
int shmz_link(struct shmz *z, void *p, void *parent);

/*
 * Up to @count objects in the order of offsets, SHMZONE_WALK_MAX at a time at most.
 * *@cursor is 0 to begin with, and behind the last. @object_size is
 * sizeof(objects[0]). Returns how many, or a negative errno value. In all zones.
 */
int shmz_walk(const struct shmz *z, uint64_t *cursor, struct shmzone_object *objects,
	      size_t object_size, unsigned int count);

/*
 * Figures
 *
 * The structures of the kernel's interface, see <linux/shmzone.h>, grow at
 * their end. The caller says how much of them it knows: in their member size,
 * or by the size of one element of an array.
 */

/*
 * The figures of the zone. Set st->size to sizeof(*st) and st->flags to 0. Unlike
 * for the kernel, what lies in caches is not live here; shmz_class_stat() counts
 * it as used. Returns 0 or -EINVAL, -E2BIG, -EOPNOTSUPP, -EFAULT.
 */
int shmz_stat(const struct shmz *z, struct shmzone_stat *st);

/*
 * The figures of the size classes 0 to @count - 1 in @group, or SHMZONE_GROUP_ALL. Returns
 * how many were filled in, or -EINVAL, -EFAULT. @figures_size is sizeof(figures[0]).
 */
int shmz_class_stat(const struct shmz *z, unsigned int group,
		    struct shmzone_class_figures *figures, size_t figures_size,
		    unsigned int count);

/*
 * The first @count rows of the table of size classes, the same for all zones. @class_size
 * is sizeof(classes[0]). Returns how many rows were filled in, or -EINVAL, -EFAULT.
 */
int shmz_class_table(const struct shmz *z, struct shmzone_class *classes,
		     size_t class_size, unsigned int count);

/*
 * What this kernel offers: info->out_features has a SHMZONE_FEATURE_* bit for
 * each extension. Set info->size to sizeof(*info), info->flags to 0 and the
 * members on the class table. With @z NULL, /dev/shmzone is asked, and
 * the errors of open(2) on it may be returned as well as those of shmz_stat().
 */
int shmz_info(const struct shmz *z, struct shmzone_info *info);

/*
 * The page map: what each page of the zone is used for, see SHMZONE_PAGE_*() in
 * <linux/shmzone.h>, as it changes. @pages, unless NULL, gets its length, one
 * entry a page of the zone. Valid until shmz_close(); read-only.
 */
const volatile uint32_t *shmz_page_map(const struct shmz *z, size_t *pages);

/* The library's version, as "0.1.0". */
const char *shmz_strversion(void);

#undef SHMZ_MUST_CHECK
#undef SHMZ_SIZE
#undef SHMZ_ALIGN

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* SHMZONE_H */
