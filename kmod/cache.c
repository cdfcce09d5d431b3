// SPDX-License-Identifier: GPL-2.0
/*
 * One cache: filling and emptying it, and taking its stock back.
 *
 * core/magazine.c knows the words, cachepage.c has the pages; here are the lock and
 * the way to and from the heap. Slots are taken from the heap before the lock is taken, as
 * that may sleep and fail, and freed after it was dropped where a thread waits;
 * where all stock is taken back they are freed under it.
 *
 * Revocation
 *
 * A thread makes @key positive before it looks at any bin of its cache, and
 * uses no atomic operation. So the kernel takes the page of @key away first, and
 * then looks:
 *
 *	thread				revocation
 *	------				----------
 *	key = BUSY; faults?		cache's lock
 *	  if so: cache's lock		page lock, which waits for those who are
 *	  find the page, lock it	  about to map the page
 *	  drop the cache's lock		unmap the page; drop the page lock
 *	  map it, drop the page lock	key?
 *	take from bins, add to them	  positive: leave it alone
 *	key = what it was		  else: take all there is, shut all bins
 *					drop the cache's lock
 *
 * (It looks once more before all that: a cache that is busy as it is need not be
 * unmapped to learn that, which its thread and each fork would have to pay for.
 * That it is not proves nothing yet.)
 *
 * A store of BUSY that came before the unmapping is seen; one that did not,
 * waits in the fault for the cache's lock and finds empty bins. The page lock is
 * what makes "unmapped" certain: the kernel maps the page of a fault after
 * ->fault() has returned, but under the page's lock if the page came locked
 * (VM_FAULT_LOCKED), which do_read_fault() and do_shared_fault() drop afterwards.
 * Nobody can be between finding the page and locking it while the cache's lock is
 * held. Pages other than the first need not be unmapped: words are touched
 * after that store alone.
 *
 * A thread may end in the middle of an operation, and its cache stay busy. So the
 * cache remembers which thread made the last slow step. That is whose cache it is,
 * as another thread has to begin with a slow step; and once that thread has ended,
 * nobody is at work. Of a cache that threads share that says nothing: whoever is at
 * work there is for them to find out.
 *
 * Capacity
 *
 * All caches of a zone together have a ceiling. A client may have as much of it as
 * it leaves to others, so that there is always something for who comes next; and
 * where others came since, and it has more than twice what is left, its caches
 * begin anew at their next slow step. Those that its threads share grow only
 * while it has half of what it may, as each thread wants caches of its own too, and
 * begin anew with any of the others, as they may go for long without a step. Any bin
 * grows beyond its steady capacity only while it has a quarter of what it may.
 *
 * Locks: the cache's, then the page's, then those that unmapping takes; or the
 * cache's, then the heap's, and what freeing in a strict zone takes. Under the
 * cache's no user memory is touched, nothing is allocated, and no other
 * cache's is taken.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "client.h"
#include "core/heap.h"
#include "core/heap_owner.h"
#include "shmzone.h"

static struct zone_clients *clients_of(const struct cache *cache)
{
	return &cache->client->zone->clients;
}

/* A thread that is only waited for runs no program any more. */
static bool has_ended(struct pid *thread)
{
	struct task_struct *task;
	bool ended;

	rcu_read_lock();
	task = pid_task(thread, PIDTYPE_PID);
	ended = !task || READ_ONCE(task->exit_state);
	rcu_read_unlock();
	return ended;
}

/* Whether the thread says so and can still say so. */
static bool at_work(struct cache *cache)
{
	lockdep_assert_held(&cache->lock);
	if (!magazines_busy(&cache->m))
		return false;
	if (cache->shared || !cache->thread || !has_ended(cache->thread))
		return true;
	magazines_end_busy(&cache->m);
	return false;
}

static void set_thread(struct cache *cache)
{
	/* The child of vfork() acts in the name of its parent, whoever that is. */
	struct pid *thread = current->vfork_done ? NULL : task_pid(current);

	lockdep_assert_held(&cache->lock);
	if (cache->thread == thread)
		return;
	put_pid(cache->thread);
	cache->thread = get_pid(thread);
}

/* Steps of the thread. */

static void tell_wrong(struct cache *cache)
{
	lockdep_assert_held(&cache->lock);
	atomic64_add(cache->m.wrong - cache->told_wrong, &clients_of(cache)->bad_bins);
	cache->told_wrong = cache->m.wrong;
}

/* Free what was in a cache, in batches that are alike. */
static u32 free_slots(struct cache *cache, const u64 *offsets, u32 n)
{
	struct client *client = cache->client;
	u32 bad, some, freed = 0;
	bool foreign;

	for (; n; offsets += some, n -= some) {
		some = DIV_ROUND_UP(n, DIV_ROUND_UP(n, HEAP_BATCH_MAX));
		freed += heap_owned_free(client->zone->heap, client->owner, offsets,
					 some, 0, &bad, &foreign);
	}
	return freed;
}

/* Take the lock for a slow step of the thread; not so if it fails. */
int cache_begin(struct cache *cache)
{
	int ret = 0;

	mutex_lock(&cache->lock);
	if (READ_ONCE(cache->client->dead))
		ret = -ENXIO;
	else if (at_work(cache))
		ret = -EBUSY;
	if (ret) {
		mutex_unlock(&cache->lock);
		return ret;
	}
	set_thread(cache);
	cache_set_up(cache);
	cache->steps++;
	return 0;
}

void cache_end(struct cache *cache)
{
	tell_wrong(cache);
	mutex_unlock(&cache->lock);
}

/* Gives what all caches have then, and what those of the client do. */
static void add_capacity(struct cache *cache, s64 bytes, u64 *all, u64 *own)
{
	*own = atomic64_add_return(bytes, &cache->client->capacity);
	*all = atomic64_add_return(bytes, &clients_of(cache)->capacity);
}

/*
 * Take all that is in a bin, and its capacity; however the thread counts. What waits
 * to be freed there is that of a client that is dead, which gets nothing any more, or
 * came behind the back of the thread: so it may go unchecked.
 */
static u32 empty_bin(struct cache *cache, u32 bin)
{
	u32 left = cache->m.magazine[bin].capacity;
	u64 offsets[HEAP_BATCH_MAX] core_uncleared;
	u32 i, n, freed = 0;
	u64 all, own;

	while (left) {
		n = magazine_take(&cache->m, bin, offsets,
				  min_t(u32, left, HEAP_BATCH_MAX));
		if (!n)
			break;
		for (i = 0; magazine_is_pending(&cache->m, bin) && i < n; i++)
			offsets[i] &= MAGAZINE_OFFSET_MASK;
		freed += free_slots(cache, offsets, n);
		left -= n;
	}
	add_capacity(cache, -(s64)magazine_shut(&cache->m, bin), &all, &own);
	return freed;
}

static u32 empty(struct cache *cache)
{
	u32 bin, freed = 0;

	lockdep_assert_held(&cache->lock);
	for (bin = CLASS_SPAN + 1; bin < cache->m.bins; bin++)
		if (cache->m.magazine[bin].capacity)
			freed += empty_bin(cache, bin);
	return freed;
}

/*
 * Let the capacity of a bin grow, if it may. The capacity is taken before it is
 * asked whether caches are shunned: who makes it so looks for capacity then.
 */
static void grow(struct cache *cache, u32 bin)
{
	struct shmzone *zone = cache->client->zone;
	u64 bytes = magazine_growth(&cache->m, bin);
	u64 ceiling = READ_ONCE(zone->clients.ceiling);
	u64 all, own;

	if (!bytes || magazine_lacks(&cache->m, bin))
		return;
	add_capacity(cache, bytes, &all, &own);
	/* These leave something to bins of other threads, and to those not steady yet. */
	if (magazine_is_steady(&cache->m, bin))
		own *= 4;
	else if (cache->shared)
		own *= 2;
	if (all <= ceiling && own <= ceiling - all && !zone_shuns_caches(zone))
		magazine_grow(&cache->m, bin);
	else
		add_capacity(cache, -(s64)bytes, &all, &own);
}

/* As cache_flush(), which sees to what waits to be freed before. */
static int flush(struct cache *cache, u32 *count)
{
	struct shmzone *zone = cache->client->zone;
	int ret = cache_give_up(cache, count);

	if (*count) {
		zone_age_soon(zone);
		zone_wake(zone);
	}
	return ret;
}

/* If its client has too much by now, so that others can have more. */
static void begin_anew(struct cache *cache)
{
	u32 freed;

	if (!client_has_too_much(cache->client))
		return;
	flush(cache, &freed);
	client_revoke_shared(cache->client);
}

/* Give up what the cache has, as somebody else is in need of it. */
static int shun(struct cache *cache)
{
	struct shmzone *zone = cache->client->zone;
	u32 freed = empty(cache);

	cache_end(cache);
	if (freed)
		zone_wake(zone);
	return -ENOSPC;
}

static u32 capacity(const struct cache *cache, u32 bin)
{
	return bin ? cache->m.magazine[bin].capacity : 0;
}

/*
 * Find or make the bin, with what it needs to grow, or if that is not to be had with the
 * capacity that it has; the lock is held unless this fails.
 */
static int open_bin(struct cache *cache, u32 class, u32 group, u32 *bin)
{
	int ret, added = 0;
	u32 page;

	for (;;) {
		ret = cache_begin(cache);
		if (ret)
			return ret;
		if (zone_shuns_caches(cache->client->zone))
			return shun(cache);
		*bin = magazine_make(&cache->m, class, group);
		page = *bin ? magazine_lacks(&cache->m, *bin) : 0;
		if (!page || (added && capacity(cache, *bin)))
			return 0;
		cache_end(cache);
		if (added)
			return added;
		added = cache_add_page(cache, page);
	}
}

static u32 put(struct cache *cache, u32 class, u32 group, u32 bin,
	       const u64 *offsets, u32 n, int *ret)
{
	u32 done;

	*ret = cache_begin(cache);
	if (*ret)
		return 0;
	/* It may have been revoked meanwhile. */
	if (!capacity(cache, bin))
		grow(cache, bin);
	done = magazine_put(&cache->m, bin, offsets, n);
	cache_end(cache);
	if (!done)
		*ret = -ENOSPC;
	return done;
}

/* How many to ask for, no more than there is room for. */
static u32 wanted(struct cache *cache, u32 bin)
{
	if (!capacity(cache, bin))
		return 0;
	return min(capacity(cache, bin) - magazine_used(&cache->m, bin),
		   magazine_portion(&cache->m, bin, MAGAZINE_IN));
}

/* cache_refill() within a step. */
static int fill(struct cache *cache, u32 class, u32 group, u32 *bin, u32 *count)
{
	struct shmzone *zone = cache->client->zone;
	u64 offsets[MAGAZINE_IN_MAX] core_uncleared;
	struct heap_request req = {
		.bytes = class_table[class].slot_bytes,
		.align = class_align(class),
		.group = group,
		.hint = (u32)cache->client->id * 31 + cache->index,
		.owner = cache->client->owner,
	};
	struct zone_request request = {
		.req = &req,
		.offsets = offsets,
		.enough = 1,
	};
	int ret, got;

	begin_anew(cache);
	ret = open_bin(cache, class, group, bin);
	if (ret)
		return ret;
	if (*bin)
		grow(cache, *bin);
	request.count = wanted(cache, *bin);
	cache_end(cache);
	zone_age_soon(zone);
	if (!request.count)
		return -ENOSPC;
	got = zone_alloc(zone, &request);
	if (got < 0)
		return got;
	*count = put(cache, class, group, *bin, offsets, got, &ret);
	if (*count < got)
		alloc_take_back(zone, &request, *count, got - *count);
	return ret;
}

/**
 * cache_refill() - add slots to a bin
 * @cache: the cache
 * @class: class of the bin
 * @group: its group
 * @bin: gets the bin
 * @count: gets how many slots were added
 *
 * Return: 0 with at least one slot, or a negative errno.
 */
int cache_refill(struct cache *cache, u32 class, u32 group, u32 *bin, u32 *count)
{
	u32 freed;
	int ret;

	ret = cache_begin_step(cache, &freed);
	if (ret)
		return ret;
	ret = fill(cache, class, group, bin, count);
	cache_end_step(cache);
	return ret;
}

/* The rest of what is to go, unless somebody else took it meanwhile. */
static u32 take_rest(struct cache *cache, u32 bin, u64 *offsets, u32 left)
{
	u32 n;

	if (!left || cache_begin(cache))
		return 0;
	n = magazine_take_old(&cache->m, bin, offsets,
			      min_t(u32, left, MAGAZINE_OUT_MAX));
	cache_end(cache);
	return n;
}

/* cache_drain() within a step. */
static int make_room(struct cache *cache, u32 class, u32 group, bool shared,
		     u32 *bin, u32 *count)
{
	struct shmzone *zone = cache->client->zone;
	u64 offsets[MAGAZINE_OUT_MAX] core_uncleared;
	u32 n = 0, left = 0, freed = 0, room;
	int ret;

	begin_anew(cache);
	ret = open_bin(cache, class, group, bin);
	if (ret)
		return ret;
	WRITE_ONCE(cache->shared, shared);
	if (shared)
		WRITE_ONCE(cache->client->shares, true);
	if (*bin && (group == MAGAZINE_PENDING_GROUP ||
		     magazine_used(&cache->m, *bin) == capacity(cache, *bin)))
		grow(cache, *bin);
	room = capacity(cache, *bin);
	if (room && magazine_used(&cache->m, *bin) == room) {
		left = magazine_portion(&cache->m, *bin, MAGAZINE_OUT);
		n = magazine_take_old(&cache->m, *bin, offsets,
				      min_t(u32, left, MAGAZINE_OUT_MAX));
	}
	cache_end(cache);
	for (; n; n = take_rest(cache, *bin, offsets, left)) {
		freed += free_slots(cache, offsets, n);
		left -= n;
	}
	*count += freed;
	if (freed)
		zone_wake(zone);
	zone_age_soon(zone);
	return room ? 0 : -ENOSPC;
}

/**
 * cache_drain() - make room in a bin
 * @cache: the cache
 * @class: class of the bin
 * @group: its group
 * @shared: threads use the cache together
 * @bin: gets the bin
 * @count: gets how many slots were freed
 *
 * In a checked zone, in the bin for what is freed, whatever the class.
 *
 * Return: 0 with room for at least one more, or a negative errno.
 */
int cache_drain(struct cache *cache, u32 class, u32 group, bool shared, u32 *bin,
		u32 *count)
{
	int ret;

	ret = cache_begin_step(cache, count);
	if (ret)
		return ret;
	if (client_checks(cache->client))
		group = MAGAZINE_PENDING_GROUP;
	ret = make_room(cache, class, group, shared, bin, count);
	cache_end_step(cache);
	return ret;
}

/**
 * cache_give_up() - free all that is in a cache
 * @cache: the cache, of a dead client, or of the caller
 * @count: gets how many slots were freed
 *
 * The caller sees to the zone's ageing and waking.
 *
 * Return: 0, or -EBUSY if the client lives and its thread is at work.
 */
int cache_give_up(struct cache *cache, u32 *count)
{
	int ret = 0;

	*count = 0;
	mutex_lock(&cache->lock);
	if (!READ_ONCE(cache->client->dead) && at_work(cache))
		ret = -EBUSY;
	else
		*count = empty(cache);
	cache_end(cache);
	return ret;
}

/**
 * cache_flush() - the same for the caller's, and see to that too
 * @cache: the cache
 * @count: gets how many slots were freed
 *
 * Return: 0 or -EBUSY.
 */
int cache_flush(struct cache *cache, u32 *count)
{
	u32 freed;
	int ret;

	ret = cache_begin_step(cache, &freed);
	if (ret)
		return ret;
	ret = flush(cache, count);
	*count += freed;
	cache_end_step(cache);
	return ret;
}

/* Others. */

static void note(struct cache *cache, u64 slots, u64 bytes)
{
	cache->seen_steps = cache->steps;
	cache->seen_slots = slots;
	cache->seen_bytes = bytes;
}

/* Whether nothing has happened since this was last asked, as far as can be seen. */
static bool is_idle(struct cache *cache)
{
	u64 slots, bytes = magazines_stock(&cache->m, &slots);
	bool idle = cache->steps == cache->seen_steps &&
		    slots == cache->seen_slots && bytes == cache->seen_bytes;

	note(cache, slots, bytes);
	return idle;
}

static void unmap_head(struct cache *cache)
{
	struct page *head = virt_to_page(cache->m.page[0]);
	u64 at = SHMZONE_MMAP_CACHES + (u64)cache->index * SHMZONE_CACHE_BYTES;

	lockdep_assert_held(&cache->lock);
	lock_page(head);
	unmap_mapping_range(cache->client->mapping, at, PAGE_SIZE, 0);
	unlock_page(head);
}

/**
 * cache_revoke() - take back the stock of a cache while its process goes on
 * @cache: the cache, of any process
 * @if_idle: only if nothing happened in it since that was last asked
 * @reclaim: counts
 *
 * Context: any process; may sleep.
 */
void cache_revoke(struct cache *cache, bool if_idle, struct reclaim *reclaim)
{
	struct frees frees core_uncleared;
	bool begun;

	/* Somebody is at work for it, in the kernel. */
	if (!client_try_check(cache->client, &begun)) {
		reclaim->busy++;
		return;
	}
	frees.n = 0;
	mutex_lock(&cache->lock);
	if (READ_ONCE(cache->client->dead) || !cache->m.bytes ||
	    (if_idle && !is_idle(cache)))
		goto out;
	if (at_work(cache)) {
		reclaim->busy++;
		goto out;
	}
	unmap_head(cache);
	if (at_work(cache)) {
		reclaim->busy++;
		goto out;
	}
	cache_linger();
	if (client_checks(cache->client))
		frees_take(&frees, cache);
	reclaim->slots += empty(cache);
	reclaim->caches++;
	atomic64_inc(&clients_of(cache)->revocations);
out:
	cache_end(cache);
	if (frees.n)
		reclaim->slots += frees_end(&frees);
	if (begun)
		client_end_check(cache->client);
}

/* Adds what is in a cache, as its thread has it. */
void cache_count(struct cache *cache, struct cache_figures *figures)
{
	u64 slots;

	mutex_lock(&cache->lock);
	figures->bytes += magazines_stock(&cache->m, &slots);
	figures->slots += slots;
	cache_end(cache);
}
