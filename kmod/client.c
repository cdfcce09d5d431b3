// SPDX-License-Identifier: GPL-2.0
/*
 * Clients: processes that have mapped caches of a zone.
 *
 * A client belongs to one VMA. The VMA's file is a mapping file as that of the
 * data is, but each mmap has an inode of its own, so that unmapping a page there
 * hits nobody but this client, and at most its forks, who fault it in again.
 * The pages are the client's, allocated as they are needed, and stand in no page
 * cache. The VMA is VM_IO, so that nobody pins its pages but by the way that does
 * not look at VMAs, which hurts nobody but the process that does it.
 *
 * Life
 *
 *	mmap		makes the client
 *	fork		->open(): the copy of the VMA has no client. Its first
 *			fault makes one, which is bound to the mm of the copy, or
 *			settles that it is to have none.
 *	move		the copy has no client and is closed again, as ->mremap()
 *			refuses; the VMA keeps its own
 *	munmap, exec,	->close(): the client is dead. All that its caches hold is
 *	end of the mm	freed before ->close() returns.
 *
 * ->close() may run in any task: what it needs is the client's. It waits for no
 * one but the holder of each cache's lock, allocates nothing, and works through
 * the caches one by one.
 *
 * A mm has one client in a zone. Commands find theirs by current->mm and hold a
 * reference meanwhile, which keeps the client's memory, but not the client: each
 * looks at @dead once it has a cache's lock, and then puts nothing into it. So
 * whatever is put into a cache is there when ->close() comes to it, or is not
 * put there. What a command still has in its hands then, it frees itself.
 *
 * In an owned zone a client is an owner to the heap, and all that is left of it when
 * it is dead and nobody has a reference any more is freed by a work, so that no
 * exit waits for it. Who has one does not wait long, but in ALLOC for memory, which
 * ends then. By the time of the work no command can allocate for it, or give to it. Its
 * number is there until all is free.
 *
 * A child's first touch of its caches is a plain store, as its parent's was: it
 * cannot be told that it may not be a client, or that there is no memory for one.
 * So the first fault settles it: if no client can be made then, the VMA has none for
 * good, and if a cache cannot, the client is without that one. What is touched there
 * are zeros of the process's own, which say "empty" and "full", and lead it to
 * commands, which find no client or no cache and say so. (To make one later would be
 * wrong: the thread may be in the middle of an operation on those zeros.) They are
 * the first page of a cache alone, as bins without capacity lead to no other.
 *
 * Fault against revocation: see cache.c.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "client.h"
#include "core/heap_owner.h"
#include "shmzone.h"

static_assert(SHMZONE_MMAP_CACHES >=
	      SHMZONE_MMAP_PAGE_MAP + ZONE_PAGES_MAX * sizeof(u32));
static_assert(SHMZONE_CACHE_BYTES == MAGAZINE_CACHE_BYTES);
static_assert(SHMZONE_CACHE_BYTES % PAGE_SIZE == 0);
static_assert(SHMZONE_CACHE_BINS == MAGAZINE_BINS);
static_assert(SHMZONE_CACHE_FIRST_WORD == MAGAZINE_FIRST_WORD);
static_assert(SHMZONE_CACHE_STOCK_MAX == MAGAZINE_STOCK_MAX);
static_assert(offsetof(struct shmzone_cache, head) == MAGAZINE_HEAD_BYTES);
static_assert(sizeof(struct shmzone_cache_head) == sizeof(struct cache_head));
static_assert(offsetof(struct shmzone_cache_head, key) ==
	      offsetof(struct cache_head, key));
static_assert(offsetof(struct shmzone_cache_head, bin_of) ==
	      offsetof(struct cache_head, bin_of));
static_assert(offsetof(struct shmzone_cache_head, bin) ==
	      offsetof(struct cache_head, bin));
static_assert(SHMZONE_CACHE_BIN_WORD * sizeof(u64) ==
	      offsetof(struct cache_head, bin));
/* Whatever the page map has, with the key of a thread at work it is no class. */
static_assert(SHMZONE_CACHE_BUSY >= 64);

static atomic64_t last_client;

/* All clients; found under RCU. */
static DEFINE_SPINLOCK(clients_lock);	/* changes of it */
static DEFINE_HASHTABLE(all_clients, 10);

void clients_init(struct zone_clients *clients)
{
	xa_init_flags(&clients->by_id, XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&clients->gone);
}

static unsigned long mm_key(const struct shmzone *zone, const struct mm_struct *mm)
{
	return (unsigned long)mm / sizeof(void *) + zone->id;
}

static size_t client_bytes(u32 count)
{
	return struct_size((struct client *)NULL, cache, count);
}

/* The caller is in an RCU reader, or holds clients_lock. */
static struct client *find(const struct shmzone *zone, const struct mm_struct *mm)
{
	struct client *client;

	hash_for_each_possible_rcu(all_clients, client, by_mm, mm_key(zone, mm),
				   lockdep_is_held(&clients_lock)) {
		if (client->zone == zone && client->mm == mm)
			return client;
	}
	return NULL;
}

/**
 * client_find() - the client that the caller's process is
 * @zone: the zone
 *
 * Return: the client, with a reference, or NULL.
 */
struct client *client_find(struct shmzone *zone)
{
	struct client *client;

	rcu_read_lock();
	client = find(zone, current->mm);
	if (client && !refcount_inc_not_zero(&client->ref))
		client = NULL;
	rcu_read_unlock();
	return client;
}

/**
 * client_by_id() - a client that is alive
 * @zone: the zone
 * @id: its number
 *
 * Return: the client, with a reference, or NULL.
 */
struct client *client_by_id(struct shmzone *zone, u64 id)
{
	struct client *client;

	rcu_read_lock();
	client = xa_load(&zone->clients.by_id, id);
	if (client && (READ_ONCE(client->dead) ||
		       !refcount_inc_not_zero(&client->ref)))
		client = NULL;
	rcu_read_unlock();
	return client;
}

/**
 * client_next() - the clients of a zone one after the other
 * @zone: the zone
 * @id: 0 to begin with; moves on
 *
 * Return: a client, with a reference, or NULL at the end.
 */
struct client *client_next(struct shmzone *zone, unsigned long *id)
{
	struct client *client;

	rcu_read_lock();
	do {
		client = xa_find(&zone->clients.by_id, id, ULONG_MAX, XA_PRESENT);
		*id += 1;
	} while (client && !refcount_inc_not_zero(&client->ref));
	rcu_read_unlock();
	return client;
}

/**
 * client_charge() - count the kernel's memory of a client, before it is taken
 * @client: the client
 * @bytes: how much
 *
 * Return: 0, or -EDQUOT if its user may have no more.
 */
int client_charge(struct client *client, u64 bytes)
{
	int ret = user_charge_caches(client->user, bytes);

	if (!ret)
		atomic64_add(bytes, &client->zone->clients.kernel_bytes);
	return ret;
}

/* The opposite, once it was freed. */
void client_uncharge(struct client *client, u64 bytes)
{
	atomic64_sub(bytes, &client->zone->clients.kernel_bytes);
	user_uncharge_caches(client->user, bytes);
}

static void client_free(struct client *client)
{
	struct cache *cache;

	while ((cache = client->used)) {
		client->used = cache->next;
		cache_destroy(cache);
		cond_resched();
	}
	client_uncharge(client, client_bytes(client->count));
	/* See client_own(). */
	if (client->owner)
		user_put(client->user);
	else
		user_uncharge_client(client->user);
	kvfree_rcu(client, rcu);
}

/* Nobody can look for its memory in vain after this. */
static void client_forget(struct client *client)
{
	xa_erase(&client->zone->clients.by_id, client->id);
	wake_up_all(&client->zone->clients.gone);
}

static void client_end_owner(struct work_struct *work)
{
	struct client *client = container_of(work, struct client, end);
	struct shmzone *zone = client->zone;
	bool more;

	do {
		more = heap_owner_end(zone->heap, client->owner);
		zone_wake(zone);
		cond_resched();
	} while (more);
	zone_age_soon(zone);
	client_forget(client);
	client_free(client);
	zone_put(zone);
}

/**
 * client_put() - drop a reference
 * @client: the client
 *
 * Context: may sleep; the caller has a reference to the zone.
 */
void client_put(struct client *client)
{
	if (!refcount_dec_and_test(&client->ref))
		return;
	if (!client->owner) {
		client_free(client);
		return;
	}
	INIT_WORK(&client->end, client_end_owner);
	zone_queue_work(&client->end);
}

/*
 * Make it an owner, if the zone is owned. Then it holds the zone until its end: the
 * last reference to it may be dropped by a work that holds none. That its user is
 * charged for a client is the owner's from then on, which may outlive it.
 */
static int client_own(struct client *client)
{
	struct shmzone *zone = client->zone;
	int ret;

	if (!zone_is(zone, SHMZONE_CREATE_OWNED))
		return 0;
	ret = heap_owner_create(zone->heap, client->id, client->user, &client->owner);
	if (ret)
		return ret;
	user_get(client->user);
	zone_get(zone);
	return 0;
}

/* Whether the process of a VMA is a client by now: perhaps by this one. */
static bool is_client(struct shmzone *zone, const struct vm_area_struct *vma)
{
	bool found;

	rcu_read_lock();
	found = find(zone, vma->vm_mm);
	rcu_read_unlock();
	return found;
}

/* A client for a VMA, which nobody can find by its mm yet. */
static struct client *client_alloc(struct shmzone *zone, struct vm_area_struct *vma)
{
	u32 count = vma_pages(vma) / MAGAZINE_PAGES;
	struct client *client;
	int ret;

	/* Before an owner is made in vain, which takes a work to end. */
	if (is_client(zone, vma))
		return ERR_PTR(-EBUSY);
	client = kvzalloc(client_bytes(count), ZONE_GFP);
	if (!client)
		return ERR_PTR(-ENOMEM);
	refcount_set(&client->ref, 1);
	mutex_init(&client->check);
	INIT_LIST_HEAD(&client->waiters);
	client->count = count;
	client->zone = zone;
	client->mm = vma->vm_mm;
	client->mapping = vma->vm_file->f_mapping;
	client->id = atomic64_inc_return(&last_client);
	client->user = user_charge_client();
	if (IS_ERR(client->user)) {
		ret = PTR_ERR(client->user);
		kvfree(client);
		return ERR_PTR(ret);
	}
	ret = client_charge(client, client_bytes(count));
	if (ret) {
		user_uncharge_client(client->user);
		kvfree(client);
		return ERR_PTR(ret);
	}
	ret = client_own(client);
	if (!ret)
		ret = xa_insert(&zone->clients.by_id, client->id, client, ZONE_GFP);
	if (!ret)
		return client;
	client_put(client);
	return ERR_PTR(ret);
}

static void client_abandon(struct client *client)
{
	if (!client->owner)
		client_forget(client);
	client_put(client);
}

/*
 * Settle that @new is the client of a VMA, or, if it is an error, that it has none;
 * unless another fault has done so meanwhile.
 */
static struct client *client_settle(struct vm_area_struct *vma, struct client *new)
{
	struct shmzone *zone = vma->vm_file->private_data;
	struct client *client;

	spin_lock(&clients_lock);
	client = vma->vm_private_data;
	if (!client) {
		client = new;
		if (!IS_ERR(new) && find(zone, vma->vm_mm))
			client = ERR_PTR(-EBUSY);
		if (!IS_ERR(client))
			hash_add_rcu(all_clients, &new->by_mm,
				     mm_key(zone, vma->vm_mm));
		/* Pairs with client_of(). */
		smp_store_release(&vma->vm_private_data, client);
	}
	spin_unlock(&clients_lock);
	if (!IS_ERR(new) && client != new)
		client_abandon(new);
	return client;
}

/**
 * client_cache() - a cache of a client, made if this is its first use
 * @client: the client
 * @index: which; less than what the client has room for
 *
 * Return: the cache, which stays as long as the client, or an ERR_PTR():
 * -ENOMEM, -EDQUOT, or -ENXIO if the client is dead.
 */
struct cache *client_cache(struct client *client, u32 index)
{
	struct cache *cache, *new;

	/* Pairs with the store below. */
	cache = smp_load_acquire(&client->cache[index]);
	if (cache)
		return cache;
	new = cache_create(client, index);
	if (IS_ERR(new))
		return new;
	spin_lock(&clients_lock);
	cache = client->cache[index];
	if (!cache && !client->dead) {
		new->next = client->used;
		/* Pairs with client_first_cache(). */
		smp_store_release(&client->used, new);
		/* Pairs with the load above. */
		smp_store_release(&client->cache[index], new);
		cache = new;
	}
	spin_unlock(&clients_lock);
	if (cache != new)
		cache_destroy(new);
	return cache ?: ERR_PTR(-ENXIO);
}

/* The VMA of the client is gone. */
static void client_close(struct client *client)
{
	struct shmzone *zone = client->zone;
	struct cache *cache;
	u32 count;

	/* No cache comes after that, and into those there are nothing is put. */
	spin_lock(&clients_lock);
	hash_del_rcu(&client->by_mm);
	WRITE_ONCE(client->dead, true);
	spin_unlock(&clients_lock);
	for (cache = client_first_cache(client); cache; cache = cache->next) {
		cache_give_up(cache, &count);
		cond_resched();
	}
	zone_age_soon(zone);
	zone_wake(zone);
	if (client->owner)
		zone_wake_dead(zone, client);
	client_abandon(client);
}

/* Inherited, if there is none yet. */
static struct client *client_of(struct vm_area_struct *vma)
{
	/* Pairs with client_settle(). */
	struct client *client = smp_load_acquire(&vma->vm_private_data);

	if (client)
		return client;
	client = client_alloc(vma->vm_file->private_data, vma);
	if (!IS_ERR(client))
		client->inherited = true;
	return client_settle(vma, client);
}

/* A cache that somebody touches, or the error that it is for good. */
static struct cache *touched_cache(struct client *client, u32 index)
{
	struct cache *cache = client_cache(client, index);

	if (!IS_ERR(cache) || !client->inherited)
		return cache;
	spin_lock(&clients_lock);
	if (!client->cache[index])
		WRITE_ONCE(client->cache[index], ERR_PTR(-ENXIO));
	cache = client->cache[index];
	spin_unlock(&clients_lock);
	return cache;
}

static void caches_open(struct vm_area_struct *vma)
{
	vma->vm_private_data = NULL;
}

static void caches_close(struct vm_area_struct *vma)
{
	if (!IS_ERR_OR_NULL(vma->vm_private_data))
		client_close(vma->vm_private_data);
}

static int caches_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int caches_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* Zeros, which are nobody's but this VMA's, and are gone when unmapped. */
static vm_fault_t fault_nobodys(struct vm_fault *vmf, u32 page)
{
	if (page)
		return VM_FAULT_SIGBUS;
	vmf->page = alloc_page(ZONE_GFP | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_SIGBUS;
}

/*
 * A shortage is SIGBUS to who touches: there is nobody else to bear it, and
 * VM_FAULT_OOM would come back for ever, or kill.
 */
static vm_fault_t caches_fault(struct vm_fault *vmf)
{
	unsigned long page = vmf->pgoff - CACHES_PGOFF;
	u32 index = page / MAGAZINE_PAGES;
	struct client *client = client_of(vmf->vma);
	struct cache *cache;

	page %= MAGAZINE_PAGES;
	if (IS_ERR(client))
		return fault_nobodys(vmf, page);
	if (index >= client->count)
		return VM_FAULT_SIGBUS;
	cache = touched_cache(client, index);
	if (IS_ERR(cache))
		return client->inherited ? fault_nobodys(vmf, page) : VM_FAULT_SIGBUS;
	vmf->page = cache_lock_page(cache, page);
	return vmf->page ? VM_FAULT_LOCKED : VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct caches_vm_ops = {
	.open = caches_open,
	.close = caches_close,
	.may_split = caches_may_split,
	.mremap = caches_mremap,
	.fault = caches_fault,
};

static int check_mmap(struct vm_area_struct *vma, bool write)
{
	unsigned long pages = vma_pages(vma);

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff != CACHES_PGOFF || pages % MAGAZINE_PAGES ||
	    pages / MAGAZINE_PAGES > SHMZONE_CACHES_MAX)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC || !write)
		return -EACCES;
	return 0;
}

/**
 * client_mmap() - map caches
 * @zone: the zone
 * @write: the descriptor is open for writing
 * @vma: the VMA in the making
 *
 * Return: 0 or a negative errno.
 */
int client_mmap(struct shmzone *zone, bool write, struct vm_area_struct *vma)
{
	struct client *client;
	struct file *file;
	int ret;

	ret = check_mmap(vma, write);
	if (ret)
		return ret;
	file = mapping_open_caches(zone);
	if (IS_ERR(file))
		return PTR_ERR(file);
	vma_set_file(vma, file);
	fput(file);
	/* VM_IO: no pins, no mlock, no NUMA hints. */
	vm_flags_mod(vma, VM_IO | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	vma->vm_private_data = NULL;
	client = client_settle(vma, client_alloc(zone, vma));
	if (IS_ERR(client))
		return PTR_ERR(client);
	vma->vm_ops = &caches_vm_ops;
	return 0;
}

/**
 * client_sync() - wait until a client is gone, and what it held and owned is free
 * @zone: the zone
 * @id: its number
 * @timeout_ns: how long to wait at most; 0 means as long as it takes
 *
 * Return: 0, -ETIMEDOUT, or -EINTR if a signal arrived.
 */
int client_sync(struct shmzone *zone, u64 id, u64 timeout_ns)
{
	struct zone_clients *clients = &zone->clients;
	ktime_t timeout = KTIME_MAX;
	int ret;

	if (timeout_ns && timeout_ns < KTIME_MAX)
		timeout = timeout_ns;
	ret = wait_event_interruptible_hrtimeout(clients->gone,
						 !xa_load(&clients->by_id, id),
						 timeout);
	if (ret == -ETIME)
		return -ETIMEDOUT;
	return ret ? -EINTR : 0;
}
