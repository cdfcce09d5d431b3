/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clients and their caches: between client.c (the mapping), cachepage.c and cache.c
 * (one cache), reclaim.c (whose stock is taken back, and when) and the commands.
 */
#ifndef SHMZONE_CLIENT_H
#define SHMZONE_CLIENT_H

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "core/heap.h"
#include "core/magazine.h"

struct address_space;
struct file;
struct mm_struct;
struct page;
struct pid;
struct shmzone;
struct task_struct;
struct user_account;
struct vm_area_struct;

/* Where caches begin among the mmap offsets of a zone, in pages. */
#define CACHES_PGOFF	(SHMZONE_MMAP_CACHES >> PAGE_SHIFT)

/**
 * struct zone_clients - the clients of a zone
 * @by_id: number to struct client
 * @gone: who waits for a client's end, and that of what it owns
 * @ceiling: bytes of slots that all caches together may have room for
 * @capacity: what they have room for
 * @caches: caches that hold pages
 * @revocations: how often the stock of one was taken back
 * @bad_bins: bins that were found to be wrong
 * @kernel_bytes: kernel memory of clients and caches
 */
struct zone_clients {
	struct xarray by_id;
	wait_queue_head_t gone;
	u64 ceiling;
	atomic64_t capacity;
	atomic64_t caches;
	atomic64_t revocations;
	atomic64_t bad_bins;
	atomic64_t kernel_bytes;
};

/**
 * struct client - a process with a mapping of caches
 * @ref: the VMA holds it, and whoever has found it
 * @dead: the VMA was closed: nothing is put into its caches any more
 * @inherited: made when a child touched a cache; immutable
 * @shares: some cache was shared ever
 * @count: caches that the mapping has room for
 * @id: its number
 * @by_mm: link among all clients, to be found by zone and mm
 * @zone: the zone; whoever has a reference to the client has one to the zone
 * @mm: the process; compared, never used
 * @mapping: address space of the VMA; to be used under the lock of a cache while
 *           the client is not dead, and then there for as long as that is held
 * @user: the user that is charged
 * @owner: in an owned zone: what it is to the heap
 * @end: the same: frees what it owns, when nobody has a reference any more
 * @waiters: who waits for memory for it; under the lock of the zone's queue
 * @capacity: bytes of slots that its caches have room for
 * @check: in a checked zone: held by who frees for it or fills its caches
 * @checker: who holds it
 * @rcu: for its end
 * @used: the caches that were used, the newest first; they stay as long as the
 *        client, and are what is walked over, however much it has room for
 * @cache: the same by index; an error for one that there will never be
 */
struct client {
	refcount_t ref;
	bool dead;
	bool inherited;
	bool shares;
	u32 count;
	u64 id;
	struct hlist_node by_mm;
	struct shmzone *zone;
	struct mm_struct *mm;
	struct address_space *mapping;
	struct user_account *user;
	struct heap_owner *owner;
	struct work_struct end;
	struct list_head waiters;
	atomic64_t capacity;
	struct mutex check;	/* see above */
	struct task_struct *checker;
	struct rcu_head rcu;
	struct cache *used;
	struct cache *cache[];
};

/**
 * struct cache - one cache
 * @client: whose it is
 * @next: the one of its client that was used before it
 * @index: which of its caches
 * @lock: protects all that follows, and the pages against being mapped anew
 * @ready: @m was set up
 * @shared: threads use it together
 * @thread: who made the last slow step: its thread, but where it is shared
 * @steps: slow steps of its thread
 * @seen_steps: those at the end of the last period
 * @seen_slots: what was in it then
 * @seen_bytes: the same in bytes
 * @told_wrong: wrong bins that the zone's figures have
 * @refused: frees that were refused since that was told; under the client's @check,
 *           as is @error
 * @error: why the first of them was
 * @m: the words
 */
struct cache {
	struct client *client;
	struct cache *next;
	u32 index;
	struct mutex lock;	/* see above */
	bool ready;
	bool shared;
	struct pid *thread;
	u64 steps;
	u64 seen_steps;
	u64 seen_slots;
	u64 seen_bytes;
	u64 told_wrong;
	u32 refused;
	int error;
	struct magazines m;
};

#define FREES_SLOTS	(2 * HEAP_BATCH_MAX)

/**
 * struct frees - a batch of frees in a checked zone
 * @client: who frees
 * @cache: the cache in which they were collected; NULL: by FREE
 * @n: how many
 * @offset: what
 * @cur: where the stock of its bin ended when it was freed
 * @bad: a bit for each that is to be refused
 * @index: hash table of the others: 1 and their index
 */
struct frees {
	struct client *client;
	struct cache *cache;
	u32 n;
	u64 offset[HEAP_BATCH_MAX];
	u16 cur[HEAP_BATCH_MAX];
	u64 bad;
	u8 index[FREES_SLOTS];
};

/**
 * struct cache_figures - what is in caches
 * @slots: slots
 * @bytes: bytes of them
 */
struct cache_figures {
	u64 slots;
	u64 bytes;
};

/**
 * struct reclaim - taking stock back, in passes: the largest first
 * @floor: caches with less capacity than so many bytes are left to later passes
 * @below: the largest capacity of those
 * @caches: caches whose stock was taken back so far
 * @busy: caches that were left alone, since their thread was at work
 * @slots: slots that were freed
 *
 * All zero to begin with but for @floor, which is RECLAIM_BEGIN.
 */
struct reclaim {
	u64 floor;
	u64 below;
	u32 caches;
	u32 busy;
	u64 slots;
};

#define RECLAIM_BEGIN	(MAGAZINE_STOCK_MAX / 2)

static inline struct cache *client_first_cache(const struct client *client)
{
	/* Pairs with client_cache(). */
	return smp_load_acquire(&client->used);
}

/* client.c */
void clients_init(struct zone_clients *clients);
int client_mmap(struct shmzone *zone, bool write, struct vm_area_struct *vma);
struct client *client_find(struct shmzone *zone);
struct client *client_by_id(struct shmzone *zone, u64 id);
struct client *client_next(struct shmzone *zone, unsigned long *id);
void client_put(struct client *client);
struct cache *client_cache(struct client *client, u32 index);
int client_charge(struct client *client, u64 bytes);
void client_uncharge(struct client *client, u64 bytes);
int client_sync(struct shmzone *zone, u64 id, u64 timeout_ns);

/* cachepage.c */
struct cache *cache_create(struct client *client, u32 index);
void cache_set_up(struct cache *cache);
void cache_destroy(struct cache *cache);
int cache_add_page(struct cache *cache, u32 i);
struct page *cache_lock_page(struct cache *cache, u32 i);

/* cache.c */
int cache_refill(struct cache *cache, u32 class, u32 group, u32 *bin, u32 *count);
int cache_drain(struct cache *cache, u32 class, u32 group, bool shared, u32 *bin,
		u32 *count);
int cache_give_up(struct cache *cache, u32 *count);
int cache_flush(struct cache *cache, u32 *count);
int cache_begin(struct cache *cache);
void cache_end(struct cache *cache);
void cache_revoke(struct cache *cache, bool if_idle, struct reclaim *reclaim);
void cache_count(struct cache *cache, struct cache_figures *figures);

/* checked.c */
bool client_checks(const struct client *client);
bool client_try_check(struct client *client, bool *begun);
void client_end_check(struct client *client);
void frees_take(struct frees *frees, struct cache *cache);
u32 frees_end(struct frees *frees);
int cache_begin_step(struct cache *cache, u32 *count);
void cache_end_step(struct cache *cache);
u32 cache_refused(struct cache *cache, u32 *error);
u32 client_begin_changes(struct client *client, const u64 *offsets, u32 n);
u32 client_free_objects(struct client *client, const u64 *offsets, u32 n,
			u64 bytes, u32 *bad, bool *foreign);

/* reclaim.c */
bool zone_reclaim(struct shmzone *zone, const struct heap_request *req,
		  struct reclaim *reclaim);
int zone_reclaim_all(struct shmzone *zone, struct reclaim *reclaim);
void zone_reclaim_idle(struct shmzone *zone);
void zone_reclaim_sealed(struct shmzone *zone);
bool client_has_too_much(const struct client *client);
void client_revoke_shared(struct client *client);
bool zone_shuns_caches(const struct shmzone *zone);
void zone_limit_caches(struct shmzone *zone, u64 limit);
void zone_count_caches(struct shmzone *zone, struct cache_figures *figures);
void zone_find_cached(struct shmzone *zone, const struct heap_object *objects,
		      u32 n, u8 *cached);

/*
 * Between a fault that has found its page and the kernel, which is going to map
 * it: the moment in which a revocation must not pass. Debug builds make it long.
 */
static inline void cache_linger(void)
{
#ifdef SHMZONE_DEBUG
	usleep_range(50, 500);
#endif
}

#endif /* SHMZONE_CLIENT_H */
