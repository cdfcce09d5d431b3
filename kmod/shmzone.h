/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shmzone inside: the objects of the module, who holds whom, and the locks.
 *
 * References
 *
 *	user's descriptor --> zone file --> zone --> user account
 *	                          |           ^
 *	                          v           |
 *	user's VMA ---------> mapping file ---+
 *	                                      |
 *	IPC namespace's names --(persistent)--+
 *
 *	user's VMA of caches --> its mapping file --> zone
 *	        |
 *	        v
 *	client (a process) --> caches --> their pages
 *	        |
 *	        v
 *	user account
 *
 * A *zone file* is what a zone descriptor is (an anonymous inode). Its two
 * *mapping files*, for data and page map, are second files of shmem inodes that
 * the zone owns, which nobody can open; they carry operations of this module and
 * stand in every VMA as vm_file. Each of these files holds one reference to the
 * zone, and so does the name of a persistent zone; the last one to go frees it.
 * Every zone holds one to the module, so that it stays while a zone exists; a
 * file of this module holds another one, which the kernel drops after
 * ->release() has returned. The work that drops names of namespaces that ended
 * holds none, but the module's exit waits for it: no code of the module ever
 * runs after it was freed.
 *
 * A *client* is a VMA of caches (client.c), whose mapping file is its own. The VMA
 * holds one reference to it; commands and the zone's periodic work, which find it
 * by process or number, hold others for as long as they look at its caches, and
 * have the zone by other means. It is dead from the VMA's close on. In an owned
 * zone it holds the zone itself, and the last reference hands it to a work that
 * frees what it owns.
 *
 * Locks, in this order
 *
 *	names_lock (mutex)          all names of zones, and their tables
 *	zone->lock (mutex)          seals, limit and what is charged for it
 *	mmap_lock                   the kernel's; taken before ->fault(), and
 *				    before ->mmap() and ->close()
 *	client->check (mutex)       frees and refills of a client in a checked
 *				    zone; of a second client it is only tried
 *	cache->lock (mutex)         one cache; never two of them
 *	pagemap->lock (rwsem)       which parts of a page map exist
 *	strict_vm_ops_lock (mutex)  the vm_operations of strict zones; a leaf
 *	page lock                   the kernel's; held in ->fault() of strict
 *				    zones and of caches, taken to punch and to
 *				    revoke
 *	i_mmap_rwsem                the kernel's; taken to unmap
 *	heap's shard (spinlock)     slots of one class and group, of one owner
 *				    or of nobody; see core/heap_impl.h
 *	heap's pages lock           runs of pages, spans, owners
 *	(spinlock)
 *	roots->lock (spinlock)      its roots; never with those of the heap
 *	wait->lock (spinlock)       who waits for memory; never with these two
 *	clients_lock (spinlock)     which process is which client
 *	users_lock (spinlock)       what users are charged for
 *
 * None of them is held while user memory is read or written, since that
 * memory may lie in this very zone.
 */
#ifndef SHMZONE_H
#define SHMZONE_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <linux/shmzone.h>

#include "roots.h"
#include "client.h"
#include "wait.h"
#include "names.h"

struct heap;
struct page;
struct user_account;
struct vm_area_struct;

/* 16 TiB of 4 KiB pages: what the page bitmap can index. */
#define ZONE_PAGES_MAX	(1ULL << 32)
#define ZONE_BYTES_MAX	((u64)ZONE_PAGES_MAX << PAGE_SHIFT)

/* For the kernel's memory: charged, and a shortage is an errno and kills nobody. */
#define ZONE_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* The flags of CREATE that say of what kind the zone is. */
#define ZONE_KINDS	(SHMZONE_CREATE_COMMITTED | SHMZONE_CREATE_STRICT | \
			 SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED)

/* Where the page map begins among the mmap offsets of a zone, in pages. */
#define PAGE_MAP_PGOFF	(SHMZONE_MMAP_PAGE_MAP >> PAGE_SHIFT)

/**
 * struct pagemap - the page map of a zone, in parts of a page each
 * @file: shmem file without content: its inode is the address space of all
 *        VMAs of this page map, so that they can be unmapped
 * @parts: part number to struct page; parts appear when something is first
 *         allocated in their range, and stay
 * @lock: read to look for a part and map it or its absence; written to wait
 *        for those who do
 * @absence_shown: set once the absence of a part was mapped; under @lock
 * @nr_parts: number of parts
 */
struct pagemap {
	struct file *file;
	struct xarray parts;
	struct rw_semaphore lock;
	bool absence_shown;
	atomic_long_t nr_parts;
};

/**
 * struct shmzone - a zone
 * @ref: the files of the zone hold it, and its name if it persists
 * @id: number of the zone; never used again
 * @bytes: size
 * @kind: ZONE_KINDS that it was created with; never changes
 * @heap: the allocator; locks itself
 * @data: the shmem file with the zone's memory. It never stands in a VMA.
 * @map: page map
 * @name: name, if any
 * @age: gives up what the heap holds back, and ends what zone_wake_soon() was
 *       asked for; pending or running only while the zone exists, which waits
 *       for it
 * @roots: named offsets
 * @wait: who waits for memory
 * @clients: processes with caches
 * @user: the creator's account
 * @lock: orders changes of @seals, @charged and the limit
 * @seals: SHMZONE_SEAL_*; bits are added under @lock and read without
 * @charged: pages @user is charged for; under @lock
 * @refused_calls: calls that failed on their arguments
 */
struct shmzone {
	struct kref ref;
	u64 id;
	u64 bytes;
	u32 kind;
	struct heap *heap;
	struct file *data;
	struct pagemap map;
	struct zone_name name;
	struct delayed_work age;
	struct roots roots;
	struct zone_wait wait;
	struct zone_clients clients;
	struct user_account *user;
	struct mutex lock;	/* see above */
	u32 seals;
	u64 charged;
	atomic64_t refused_calls;
};

/**
 * struct zone_file - what a zone descriptor refers to
 * @zone: the zone; one reference
 * @data: mapping file of the data, opened as the descriptor is
 * @map: mapping file of the page map, read-only
 */
struct zone_file {
	struct shmzone *zone;
	struct file *data;
	struct file *map;
};

static inline bool zone_is_sealed(const struct shmzone *zone, u32 seal)
{
	return READ_ONCE(zone->seals) & seal;
}

static inline bool zone_is(const struct shmzone *zone, u32 kind)
{
	return zone->kind & kind;
}

/* zone.c */
struct shmzone *zone_create(u64 bytes, u64 limit, u32 kind);
struct shmzone *zone_get(struct shmzone *zone);
bool zone_tryget(struct shmzone *zone);
void zone_put(struct shmzone *zone);
u64 zone_count(void);
void zone_age_soon(struct shmzone *zone);
void zone_wake_soon(struct shmzone *zone);
void zone_queue_work(struct work_struct *work);
int zone_init(void);
void zone_exit(void);
u64 zone_resident_bytes(const struct shmzone *zone);
u64 zone_swapped_bytes(const struct shmzone *zone);
int zone_set_limit(struct shmzone *zone, u64 bytes);
int zone_add_seals(struct shmzone *zone, u32 seals);
struct file *zone_backing(const char *name, u64 bytes);

/* backing.c */
void zone_punch(struct shmzone *zone, u64 first, u64 n);
int zone_commit(struct shmzone *zone, u64 first, u64 n);

/* strict.c */
void strict_mmap(struct vm_area_struct *vma);
bool strict_refuse_huge(struct page *page);
#if IS_ENABLED(CONFIG_KUNIT)
extern const struct vm_operations_struct *strict_shmem_vm_ops;
#endif

/* users.c */
struct user_account *user_charge(u64 pages);
int user_recharge(struct user_account *user, u64 from, u64 to);
void user_uncharge(struct user_account *user, u64 pages);
struct user_account *user_charge_client(void);
void user_uncharge_client(struct user_account *user);
void user_get(struct user_account *user);
void user_put(struct user_account *user);
int user_charge_caches(struct user_account *user, u64 bytes);
void user_uncharge_caches(struct user_account *user, u64 bytes);

/* file.c */
struct file *zone_file_open(struct shmzone *zone, bool write);

/* mapping.c */
struct file *mapping_open_data(struct shmzone *zone, bool write);
struct file *mapping_open_map(struct shmzone *zone);
struct file *mapping_open_caches(struct shmzone *zone);
int zone_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long zone_get_unmapped_area(struct file *file, unsigned long addr,
				     unsigned long len, unsigned long pgoff,
				     unsigned long flags);

/* pagemap.c */
int pagemap_init(struct pagemap *map, const char *name);
void pagemap_destroy(struct pagemap *map);
int pagemap_prepare(struct pagemap *map, u64 first, u64 n);
void pagemap_mark(struct pagemap *map, u64 first, u64 n, u32 entry);
u64 pagemap_kernel_bytes(const struct pagemap *map);
int pagemap_mmap(struct shmzone *zone, struct vm_area_struct *vma);

/* objects.c */
void alloc_take_back(struct shmzone *zone, const struct zone_request *request,
		     u32 first, u32 count);

/* ioctl.c */
long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long zone_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* SHMZONE_H */
