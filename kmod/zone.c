// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a zone.
 *
 * A zone is a shmem file for the memory, a heap for who has which part of it,
 * and a page map that shows the heap's decisions to user space. None of them
 * costs more than a few kilobytes until it is used, whatever the zone's size.
 *
 * The shmem file is the zone's alone: users reach its pages only through
 * mapping files (mapping.c), which are other files of the same inode. That is
 * sealed against any change of its size, has no permissions for others, and
 * cannot be opened, should some privileged path (/proc/PID/map_files) lead to it.
 *
 * What the heap holds back for the next request, and what is in caches, is given
 * up when it was not needed for a second: a delayed work sees to that while there
 * is anything. It holds no reference, or a zone would outlive its users by as
 * much; the end of the zone waits for it instead.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "core/heap.h"
#include "core/heap_owner.h"
#include "core/pages.h"
#include "shmzone.h"

static_assert(ZONE_PAGES_MAX == PAGES_MAX);
static_assert(SHMZONE_CLASSES == CLASS_COUNT);
static_assert(SHMZONE_GROUPS == CLASS_GROUPS);
static_assert(SHMZONE_CLASS_SPAN == CLASS_SPAN);
static_assert(SHMZONE_KIND_NONE == HEAP_KIND_NONE);
static_assert(SHMZONE_KIND_SLAB == HEAP_KIND_SLAB);
static_assert(SHMZONE_KIND_SPAN == HEAP_KIND_SPAN);
static_assert(SHMZONE_KIND_MIXED == HEAP_KIND_MIXED);

#define AGE_DELAY	HZ

static atomic_long_t nr_zones;
static atomic64_t last_id;
static struct workqueue_struct *zone_wq;

static void zone_age(struct work_struct *work)
{
	struct shmzone *zone =
		container_of(to_delayed_work(work), struct shmzone, age);
	u64 turnover = heap_turnover(zone->heap);
	bool more, freed = false;

	zone_reclaim_idle(zone);
	while (heap_free_all_orphans(zone->heap)) {
		freed = true;
		cond_resched();
	}
	more = heap_age(zone->heap);
	if (more || atomic64_read(&zone->clients.capacity))
		queue_delayed_work(zone_wq, &zone->age, AGE_DELAY);
	/*
	 * Pages of a slab that ended are free now. While they were on their way
	 * there they were of use to nobody.
	 */
	if (zone_takes_retry(zone) || freed || heap_turnover(zone->heap) != turnover)
		zone_wake(zone);
}

/**
 * zone_age_soon() - see to what the heap holds back, if it does
 * @zone: the zone; the caller has a reference
 */
void zone_age_soon(struct shmzone *zone)
{
	bool needed = heap_is_ageing(zone->heap) ||
		      atomic64_read(&zone->clients.capacity);

	if (needed && !delayed_work_pending(&zone->age))
		queue_delayed_work(zone_wq, &zone->age, AGE_DELAY);
}

/**
 * zone_wake_soon() - let those who poll try again after a while
 * @zone: the zone; the caller has a reference
 */
void zone_wake_soon(struct shmzone *zone)
{
	/* No look before: this orders what the work is to find. */
	queue_delayed_work(zone_wq, &zone->age, AGE_DELAY);
}

/**
 * zone_queue_work() - have something done that is long, or must not wait
 * @work: holds a reference to a zone
 */
void zone_queue_work(struct work_struct *work)
{
	queue_work(zone_wq, work);
}

/* heap_ops: the heap's pages are this zone's pages. */

static int zone_prepare(void *keeper, u64 first, u64 n, u64 marked)
{
	struct shmzone *zone = keeper;
	int ret = pagemap_prepare(&zone->map, first, marked);

	if (ret || !zone_is(zone, SHMZONE_CREATE_COMMITTED))
		return ret;
	return zone_commit(zone, first, n);
}

static void zone_mark(void *keeper, u64 first, u64 n, u32 mark)
{
	struct shmzone *zone = keeper;

	pagemap_mark(&zone->map, first, n,
		     HEAP_MARK_CLASS(mark) | HEAP_MARK_GROUP(mark) << 6 |
			     HEAP_MARK_KIND(mark) << 10 | HEAP_MARK_TAG(mark) << 12);
}

static void zone_release_run(void *keeper, u64 first, u64 n)
{
	zone_punch(keeper, first, n);
}

/* What a client was charged for beyond its life: see client_own(). */
static void zone_owner_freed(void *keeper, void *payer)
{
	user_uncharge_client(payer);
}

static const struct heap_ops plain_heap_ops = {
	.prepare = zone_prepare,
	.mark = zone_mark,
	.owner_freed = zone_owner_freed,
};

static const struct heap_ops committed_heap_ops = {
	.prepare = zone_prepare,
	.mark = zone_mark,
	.owner_freed = zone_owner_freed,
	.prepare_fills = true,
};

static const struct heap_ops strict_heap_ops = {
	.prepare = zone_prepare,
	.mark = zone_mark,
	.release = zone_release_run,
	.owner_freed = zone_owner_freed,
};

static const struct heap_ops strict_committed_heap_ops = {
	.prepare = zone_prepare,
	.mark = zone_mark,
	.release = zone_release_run,
	.owner_freed = zone_owner_freed,
	.prepare_fills = true,
};

static const struct heap_ops *heap_ops_for(u32 kind)
{
	bool committed = kind & SHMZONE_CREATE_COMMITTED;

	if (kind & SHMZONE_CREATE_STRICT)
		return committed ? &strict_committed_heap_ops : &strict_heap_ops;
	return committed ? &committed_heap_ops : &plain_heap_ops;
}

/**
 * zone_backing() - a shmem file that nobody else can open, grow or shrink
 * @name: what /proc/PID/maps shows
 * @bytes: size
 *
 * Return: the file or an ERR_PTR().
 */
struct file *zone_backing(const char *name, u64 bytes)
{
	struct file *file = shmem_file_setup(name, bytes, VM_NORESERVE);

	/* There is no quota here: shmem says this for want of an inode. */
	if (file == ERR_PTR(-ENOSPC))
		return ERR_PTR(-ENOMEM);
	if (IS_ERR(file))
		return file;
	SHMEM_I(file_inode(file))->seals |= F_SEAL_SHRINK | F_SEAL_GROW;
	file_inode(file)->i_mode = S_IFREG | 0600;
	return file;
}

/**
 * zone_create() - make a zone without a name
 * @bytes: size: a multiple of the page size, 2 pages to ZONE_BYTES_MAX
 * @limit: bytes that may be allocated, a multiple of the page size up to @bytes
 * @kind: of ZONE_KINDS
 *
 * The caller's user is charged for it.
 *
 * Return: the zone, with one reference that is the caller's, or an ERR_PTR().
 */
struct shmzone *zone_create(u64 bytes, u64 limit, u32 kind)
{
	struct shmzone *zone;
	char name[40];
	int ret;

	zone = kzalloc(sizeof(*zone), ZONE_GFP);
	if (!zone)
		return ERR_PTR(-ENOMEM);
	kref_init(&zone->ref);
	mutex_init(&zone->lock);
	zone->id = atomic64_inc_return(&last_id);
	zone->bytes = bytes;
	zone->kind = kind;
	INIT_DELAYED_WORK(&zone->age, zone_age);
	roots_init(&zone->roots);
	zone_wait_init(&zone->wait);
	clients_init(&zone->clients);
	zone_limit_caches(zone, limit);
	zone->charged = limit >> PAGE_SHIFT;

	zone->user = user_charge(zone->charged);
	if (IS_ERR(zone->user)) {
		ret = PTR_ERR(zone->user);
		goto err_free;
	}
	zone->heap = heap_create(bytes >> PAGE_SHIFT, limit >> PAGE_SHIFT,
				 heap_ops_for(kind), zone);
	if (!zone->heap) {
		ret = -ENOMEM;
		goto err_user;
	}
	if (kind & SHMZONE_CREATE_OWNED) {
		ret = heap_enable_owners(zone->heap);
		if (ret)
			goto err_heap;
	}
	snprintf(name, sizeof(name), "shmzone-%llu", zone->id);
	zone->data = zone_backing(name, bytes);
	if (IS_ERR(zone->data)) {
		ret = PTR_ERR(zone->data);
		goto err_heap;
	}
	snprintf(name, sizeof(name), "shmzone-%llu-pagemap", zone->id);
	ret = pagemap_init(&zone->map, name);
	if (ret)
		goto err_data;

	__module_get(THIS_MODULE);
	atomic_long_inc(&nr_zones);
	return zone;

err_data:
	fput(zone->data);
err_heap:
	heap_destroy(zone->heap);
err_user:
	user_uncharge(zone->user, zone->charged);
err_free:
	kfree(zone);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_IF_KUNIT(zone_create);

/* No file and no mapping of the zone is left, and nobody can find its name. */
static void zone_free(struct kref *ref)
{
	struct shmzone *zone = container_of(ref, struct shmzone, ref);

	name_drop(zone);
	cancel_delayed_work_sync(&zone->age);
	roots_destroy(&zone->roots);
	pagemap_destroy(&zone->map);
	fput(zone->data);
	heap_destroy(zone->heap);
	user_uncharge(zone->user, zone->charged);
	kfree(zone);
	atomic_long_dec(&nr_zones);
	/*
	 * The caller came through a file of this module, which holds it too, or
	 * is the work that the module's exit waits for.
	 */
	module_put(THIS_MODULE);
}

struct shmzone *zone_get(struct shmzone *zone)
{
	kref_get(&zone->ref);
	return zone;
}

/**
 * zone_tryget() - take a reference to a zone found by name
 * @zone: a zone that may be about to be freed, but is not yet: the caller holds
 *        names_lock, which freeing takes
 *
 * Return: false if it is about to be freed.
 */
bool zone_tryget(struct shmzone *zone)
{
	return kref_get_unless_zero(&zone->ref);
}

/**
 * zone_put() - drop a reference
 * @zone: the zone
 *
 * Context: may sleep; takes names_lock if it was the last one. The caller holds
 * a reference to the module, or the module's exit waits for the caller.
 */
void zone_put(struct shmzone *zone)
{
	kref_put(&zone->ref, zone_free);
}
EXPORT_SYMBOL_IF_KUNIT(zone_put);

u64 zone_count(void)
{
	return atomic_long_read(&nr_zones);
}
EXPORT_SYMBOL_IF_KUNIT(zone_count);

/* shmem corrects its own count of pages only now and then. */
u64 zone_resident_bytes(const struct shmzone *zone)
{
	return (u64)READ_ONCE(zone->data->f_mapping->nrpages) << PAGE_SHIFT;
}
EXPORT_SYMBOL_IF_KUNIT(zone_resident_bytes);

u64 zone_swapped_bytes(const struct shmzone *zone)
{
	const struct shmem_inode_info *info = SHMEM_I(file_inode(zone->data));

	return (u64)READ_ONCE(info->swapped) << PAGE_SHIFT;
}

/* Pages to be charged for: once the limit is set, no more can be taken. */
static u64 chargeable(struct shmzone *zone, u64 limit)
{
	struct heap_room room;

	heap_get_room(zone->heap, &room);
	return max(limit, room.taken_pages);
}

/* Charge first where more is to be had, and last where less is. */
static int change_limit(struct shmzone *zone, u64 limit)
{
	int ret = 0;

	lockdep_assert_held(&zone->lock);
	if (zone_is_sealed(zone, SHMZONE_SEAL_LIMIT))
		return -EPERM;
	if (limit > zone->charged) {
		ret = user_recharge(zone->user, zone->charged, limit);
		if (ret)
			return ret;
		zone->charged = limit;
	}
	heap_set_limit(zone->heap, limit);
	limit = chargeable(zone, limit);
	if (limit < zone->charged) {
		ret = user_recharge(zone->user, zone->charged, limit);
		zone->charged = limit;
	}
	return ret;
}

/**
 * zone_set_limit() - change the limit while the zone is in use
 * @zone: the zone
 * @bytes: the new limit, a multiple of the page size up to the zone's size
 *
 * The creator stays charged for what is taken beyond a lower limit, or else it
 * could be had for nothing, until the limit is next set.
 *
 * Return: 0, -EDQUOT or, if it is sealed, -EPERM.
 */
int zone_set_limit(struct shmzone *zone, u64 bytes)
{
	int ret;

	mutex_lock(&zone->lock);
	ret = change_limit(zone, bytes >> PAGE_SHIFT);
	if (!ret)
		zone_limit_caches(zone, bytes);
	mutex_unlock(&zone->lock);
	zone_wake(zone);
	return ret;
}

/**
 * zone_add_seals() - seal a zone
 * @zone: the zone
 * @seals: SHMZONE_SEAL_*
 *
 * Return: 0 or, if it is sealed against that, -EPERM.
 */
int zone_add_seals(struct shmzone *zone, u32 seals)
{
	int ret = 0;

	mutex_lock(&zone->lock);
	if (zone_is_sealed(zone, SHMZONE_SEAL_SEAL))
		ret = -EPERM;
	else
		WRITE_ONCE(zone->seals, zone->seals | seals);
	mutex_unlock(&zone->lock);
	/* Who waits for memory learns that there is none to wait for. */
	if (!ret && seals & SHMZONE_SEAL_ALLOC) {
		zone_reclaim_sealed(zone);
		zone_wake(zone);
	}
	return ret;
}

/**
 * zone_init() - set up what all zones share
 *
 * Return: 0 or -ENOMEM.
 */
int zone_init(void)
{
	zone_wq = alloc_workqueue("shmzone", WQ_UNBOUND, 0);
	if (!zone_wq)
		return -ENOMEM;
	if (!heap_caches_create())
		return 0;
	destroy_workqueue(zone_wq);
	return -ENOMEM;
}

/* No zone is left. */
void zone_exit(void)
{
	destroy_workqueue(zone_wq);
	heap_caches_destroy();
}
