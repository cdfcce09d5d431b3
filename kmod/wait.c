// SPDX-License-Identifier: GPL-2.0
/*
 * Getting memory of a zone, and waiting for it: ALLOC, with SHMZONE_ALLOC_WAIT or
 * without, and poll. An attempt is made in pieces of a heap's batch, has stock taken back
 * where memory is short, and is undone if the process is killed meanwhile.
 *
 * The queue
 *
 * Who waits in ALLOC stands in the zone's queue, in order of arrival. Only the
 * waiter at the head tries to allocate, and only when it has the *turn*, which
 * it gets when it becomes the head and, from then on, whenever memory may have
 * become available: zone_wake() says so after frees and when the limit was
 * raised. A turn is one attempt. Whoever leaves the head, whether with memory,
 * by a signal, by its time limit or because it learnt that its request can never
 * succeed, gives the turn to the next. So a turn is never lost with the one who
 * had it, and one large free serves as many as it can.
 *
 * In an owned zone a waiter leaves when its client is dead, too, wherever it stands:
 * it has a reference to the client, which would never end (zone_wake_dead()).
 *
 * An ALLOC that does not wait never looks at the queue. One that comes to wait
 * looks whether there is one, and tries at once if not.
 *
 * Frees, and what they cost
 *
 * A free looks at one word, @watch, which is 0 unless somebody waits or the
 * zone was ever polled. That is enough, as both sides do their own part first,
 * with a full barrier between that and their look at the other's:
 *
 *	waiter or poller			free
 *	----------------			----
 *	joins @watch				changes the heap
 *	smp_mb()	(A)			smp_mb()	(B)
 *	tries the heap				looks at @watch
 *
 * Either the attempt finds what was freed or the free finds the waiter. For
 * later attempts the turn does the same: it is taken back under @lock before
 * the attempt and given under @lock after the free, so a free that the attempt
 * did not see gives it anew.
 *
 * poll
 *
 * @exhausted must not be set by a failure that a free has overtaken, or the
 * free would be lost on those who poll. So each attempt notes @events, which
 * frees count up, before it begins. When it has failed it sets @exhausted and
 * then looks whether @events is still the same; a free counts up and then looks
 * at @exhausted. Between the two there is a full barrier on either side ((C)
 * and (D)), so at least one of them sees the other and clears @exhausted, and
 * who clears it wakes: the readiness of an edge-triggered poll comes from there.
 * Frees count only once the zone was polled, which is for good, since poll(2)
 * is not there while its caller fails to allocate; a failure from before that
 * is nobody's. What may go wrong is one wake-up too many, never one too few.
 *
 * What is not a free
 *
 * A heap under the hands of several may turn a request away for pages that
 * another one holds for a moment, and gives up again as it fails as well, or has
 * a slab made of, with slots to spare. So a failure outside of the queue gives the
 * head the turn too, and a success that came with slabs made or ended counts as a
 * free (heap_turnover()), as does what the ageing work lets go. And the heap says
 * ENOMEM for want of the kernel's memory as for want of the zone's, which no
 * free will be there to end. So a head that failed although its pages would
 * keep within the limit tries again after a while (RETRY_NS) by itself, and
 * after such a failure those who poll are woken as late (zone_wake_soon()).
 *
 * Caches
 *
 * What a thread frees into its cache, the kernel does not see. So each attempt
 * that falls short takes back what is in the caches, and while somebody waits, or
 * @exhausted is set, caches are given no capacity (reclaim.c): frees then come to
 * the kernel. Where a failure sets @exhausted, caches may have got capacity
 * between the attempt and that; this is taken back as well. A cache whose thread
 * is at work at that moment may keep some: the head then tries again after a
 * while, and the zone's periodic work comes back to the cache.
 *
 * Locks
 *
 * zone->wait.lock is taken with no lock of the zone held; only wake-ups happen
 * under it, so that a waiter, whose place is on its stack, can leave under it
 * and be sure that nobody still wakes it. The heap is tried without it.
 */
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>

#include "client.h"
#include "core/class.h"
#include "core/heap.h"
#include "shmzone.h"
#include "wait.h"

/* What an attempt notes of @events before the zone was polled. */
#define UNWATCHED	-1

/* After that time a request that failed for no reason in sight tries again. */
#define RETRY_NS	NSEC_PER_SEC

/**
 * struct waiter - one who waits in ALLOC, on its stack
 * @link: in the queue, under its lock
 * @wq: where it sleeps
 * @client: as in struct zone_request
 * @of_client: in its @waiters, under the queue's lock
 * @turn: it may try; written under the queue's lock
 */
struct waiter {
	struct list_head link;
	wait_queue_head_t wq;
	struct client *client;
	struct list_head of_client;
	bool turn;
};

void zone_wait_init(struct zone_wait *wait)
{
	wait->watch = 0;
	wait->exhausted = 0;
	wait->retry = false;
	atomic64_set(&wait->events, 0);
	spin_lock_init(&wait->lock);
	INIT_LIST_HEAD(&wait->queue);
	init_waitqueue_head(&wait->poll);
}

static void add_watch(struct zone_wait *wait, unsigned int watch)
{
	lockdep_assert_held(&wait->lock);
	WRITE_ONCE(wait->watch, wait->watch + watch);
}

/* The queue. */

static void give_turn(struct zone_wait *wait)
{
	struct waiter *head;

	lockdep_assert_held(&wait->lock);
	head = list_first_entry_or_null(&wait->queue, struct waiter, link);
	if (!head)
		return;
	WRITE_ONCE(head->turn, true);
	wake_up(&head->wq);
}

static void call_head(struct zone_wait *wait)
{
	spin_lock(&wait->lock);
	give_turn(wait);
	spin_unlock(&wait->lock);
}

static void join(struct zone_wait *wait, struct waiter *me)
{
	init_waitqueue_head(&me->wq);
	spin_lock(&wait->lock);
	me->turn = list_empty(&wait->queue);
	list_add_tail(&me->link, &wait->queue);
	INIT_LIST_HEAD(&me->of_client);
	if (me->client)
		list_add(&me->of_client, &me->client->waiters);
	add_watch(wait, WATCH_WAITER);
	spin_unlock(&wait->lock);
	/* (A): pairs with (B) in zone_wake(). */
	smp_mb();
}

static void leave(struct zone_wait *wait, struct waiter *me)
{
	bool was_head;

	spin_lock(&wait->lock);
	was_head = list_is_first(&me->link, &wait->queue);
	list_del(&me->link);
	list_del(&me->of_client);
	add_watch(wait, -WATCH_WAITER);
	if (was_head)
		give_turn(wait);
	spin_unlock(&wait->lock);
}

static bool is_dead(const struct waiter *me)
{
	return me->client && READ_ONCE(me->client->dead);
}

/*
 * Returns 0 with the turn taken, -ETIME after @until, -ENXIO or -EINTR. What
 * wait_event_interruptible_hrtimeout() does, but for its plain look, here, at what the
 * timer writes: that is a data race.
 */
static int sleep_until_turn(struct zone_wait *wait, struct waiter *me,
			    ktime_t until)
{
	ktime_t *expires = until == KTIME_MAX ? NULL : &until;
	bool late = false;
	int ret = 0;
	DEFINE_WAIT(entry);

	for (;;) {
		long signal = prepare_to_wait_event(&me->wq, &entry, TASK_INTERRUPTIBLE);

		if (READ_ONCE(me->turn) || is_dead(me))
			break;
		if (signal || late) {
			ret = signal ? -EINTR : -ETIME;
			break;
		}
		late = !schedule_hrtimeout(expires, HRTIMER_MODE_ABS);
	}
	finish_wait(&me->wq, &entry);
	if (is_dead(me))
		return -ENXIO;
	if (ret)
		return ret;
	spin_lock(&wait->lock);
	me->turn = false;
	spin_unlock(&wait->lock);
	return 0;
}

/* Attempts. */

static s64 note_events(const struct zone_wait *wait)
{
	if (!(READ_ONCE(wait->watch) & WATCH_POLLED))
		return UNWATCHED;
	/*
	 * Whoever frees what this attempt does not find sees %WATCH_POLLED as
	 * well: (A), on behalf of the one who polled first.
	 */
	smp_mb();
	return atomic64_read_acquire(&wait->events);
}

static void end_shortage(struct zone_wait *wait)
{
	if (READ_ONCE(wait->exhausted) && xchg(&wait->exhausted, 0))
		wake_up_poll(&wait->poll, EPOLLOUT | EPOLLWRNORM);
}

static void note_shortage(struct zone_wait *wait, s64 events)
{
	if (!(READ_ONCE(wait->watch) & WATCH_POLLED))
		return;
	WRITE_ONCE(wait->exhausted, 1);
	/* (C): pairs with (D) in zone_wake(). */
	smp_mb();
	if (atomic64_read(&wait->events) != events)
		end_shortage(wait);
}

/**
 * enum outlook - what is to be expected after a request has failed
 * @NEVER: frees cannot help
 * @WHEN_FREED: it takes a free, or a higher limit
 * @PERHAPS: it does not look as if memory of the zone was what it lacked
 */
enum outlook { NEVER, WHEN_FREED, PERHAPS };

static enum outlook outlook_for(struct shmzone *zone,
				const struct heap_request *req)
{
	u32 class = class_for(req->bytes, req->align);
	u64 pages = class_run_pages(class, req->bytes);
	struct heap_room room;

	heap_get_room(zone->heap, &room);
	/* Slots of a slab from before the limit was lowered will do. */
	if (pages >= zone->bytes >> PAGE_SHIFT || pages > room.limit_pages)
		return heap_has_slab(zone->heap, req) ? WHEN_FREED : NEVER;
	if (room.taken_pages <= room.limit_pages &&
	    pages <= room.limit_pages - room.taken_pages)
		return PERHAPS;
	/* Somebody may be giving pages back for their own request's sake. */
	if (room.busy_pages)
		return PERHAPS;
	/* What is freed into the caches that were busy, the kernel is not told. */
	return atomic64_read(&zone->clients.capacity) ? PERHAPS : WHEN_FREED;
}

/* No free may come that ends this shortage: those who poll look again by then. */
static void ask_retry(struct shmzone *zone)
{
	WRITE_ONCE(zone->wait.retry, true);
	zone_wake_soon(zone);
}

/**
 * zone_takes_retry() - whether zone_wake_soon() was called since the last time
 * @zone: the zone
 *
 * Return: true once for any number of calls; then zone_wake() is due.
 */
bool zone_takes_retry(struct shmzone *zone)
{
	return xchg(&zone->wait.retry, false);
}

/*
 * What is left to do of an attempt whose first piece, of @n, got @ret. Where memory
 * is short, what others have in their caches is taken back.
 */
static noinline int attempt_rest(struct shmzone *zone, const struct zone_request *request,
				 u32 n, int ret)
{
	const struct heap_request *req = request->req;
	struct reclaim reclaim = { .floor = RECLAIM_BEGIN };
	u32 count = request->count;
	u32 done = 0;

	for (;;) {
		u32 asked = done + n;

		if (ret > 0)
			done += ret;
		/* The process will never see them. */
		if (fatal_signal_pending(current)) {
			alloc_take_back(zone, request, 0, done);
			return -EINTR;
		}
		if (done == count)
			return done;
		if (ret == (int)n) {
			cond_resched();
		} else if ((ret < 0 && ret != -ENOMEM) || done >= request->enough ||
			   !zone_reclaim(zone, req, &reclaim)) {
			/* Those of later pieces fail without being tried. */
			heap_note_failed(zone->heap, req, count - asked);
			return done ?: ret;
		}
		n = min_t(u32, count - done, HEAP_BATCH_MAX);
		ret = heap_alloc(zone->heap, req, request->offsets + done, n);
	}
}

/* Returns how many objects it got, at least 1, or -ENOMEM or another errno. */
static __always_inline int attempt(struct shmzone *zone, const struct zone_request *request)
{
	u32 n = min_t(u32, request->count, HEAP_BATCH_MAX);
	int ret;

	/* Perhaps since the call began to wait. */
	if (zone_is_sealed(zone, SHMZONE_SEAL_ALLOC))
		return -EPERM;
	ret = heap_alloc(zone->heap, request->req, request->offsets, n);
	if (likely(ret == (int)request->count && !fatal_signal_pending(current)))
		return ret;
	return attempt_rest(zone, request, n, ret);
}

static bool fell_short(const struct zone_request *request, int ret)
{
	return ret == -ENOMEM || (ret >= 0 && ret < request->enough);
}

/* An attempt fell short, before which @events were noted. */
static noinline enum outlook note_failure(struct shmzone *zone,
					  const struct zone_request *request, s64 events)
{
	enum outlook outlook = outlook_for(zone, request->req);

	if (outlook != NEVER) {
		struct reclaim last = { .floor = 1 };

		note_shortage(&zone->wait, events);
		if (READ_ONCE(zone->wait.exhausted))
			zone_reclaim(zone, request->req, &last);
	}
	if (outlook == PERHAPS && events != UNWATCHED)
		ask_retry(zone);
	return outlook;
}

/* One attempt; @outlook is set if it falls short. */
static __always_inline int try_alloc(struct shmzone *zone, const struct zone_request *request,
				     enum outlook *outlook)
{
	s64 events = note_events(&zone->wait);
	u64 turnover = heap_turnover(zone->heap);
	int ret = attempt(zone, request);

	if (fell_short(request, ret))
		*outlook = note_failure(zone, request, events);
	else if (heap_turnover(zone->heap) != turnover)
		zone_wake(zone);
	return ret;
}

static bool has_queue(const struct zone_wait *wait)
{
	return READ_ONCE(wait->watch) >= WATCH_WAITER;
}

/* The same for somebody who is not in the queue. */
static __always_inline int try_alloc_outside(struct shmzone *zone,
					     const struct zone_request *request,
					     enum outlook *outlook)
{
	int ret = try_alloc(zone, request, outlook);

	if (fell_short(request, ret) && has_queue(&zone->wait))
		call_head(&zone->wait);
	return ret;
}

/**
 * zone_alloc() - allocate without waiting
 * @zone: the zone
 * @request: what is wanted
 *
 * Context: may sleep; the caller holds no lock.
 * Return: how many objects, at least 1, or a negative errno: -ENOMEM if there is no
 * memory for any.
 */
int zone_alloc(struct shmzone *zone, const struct zone_request *request)
{
	enum outlook outlook;

	return try_alloc_outside(zone, request, &outlook);
}

/* Turn by turn, until there is an end to it. */
static int alloc_in_queue(struct shmzone *zone, struct waiter *me,
			  const struct zone_request *request, ktime_t deadline)
{
	enum outlook outlook = WHEN_FREED;
	ktime_t until, now;
	int ret;

	for (;;) {
		now = ktime_get();
		until = deadline;
		if (outlook == PERHAPS && ktime_sub(deadline, now) > RETRY_NS)
			until = ktime_add_ns(now, RETRY_NS);
		ret = sleep_until_turn(&zone->wait, me, until);
		if (ret == -ETIME && until == deadline)
			return -ETIMEDOUT;
		if (ret && ret != -ETIME)
			return ret;
		ret = try_alloc(zone, request, &outlook);
		if (ret != -ENOMEM || outlook == NEVER)
			return ret;
	}
}

/**
 * zone_alloc_wait() - allocate, and wait for at least one object
 * @zone: the zone
 * @request: what is wanted
 * @timeout_ns: how long to wait at most; 0 means as long as it takes
 *
 * Context: may sleep; the caller holds no lock.
 * Return: as zone_alloc(), but -ENOMEM only if it can never succeed, and
 * -ETIMEDOUT, -ENXIO if the client is dead, or -EINTR if a signal arrived.
 */
int zone_alloc_wait(struct shmzone *zone, const struct zone_request *request,
		    u64 timeout_ns)
{
	struct zone_wait *wait = &zone->wait;
	ktime_t deadline = KTIME_MAX;
	enum outlook outlook = WHEN_FREED;
	struct waiter me = { .client = request->client };
	int ret;

	if (timeout_ns && timeout_ns < KTIME_MAX)
		deadline = ktime_add_safe(ktime_get(), timeout_ns);
	/* What can never succeed need not queue up to fail. */
	if (has_queue(wait))
		outlook = outlook_for(zone, request->req);
	if (outlook == NEVER || !has_queue(wait)) {
		ret = try_alloc_outside(zone, request, &outlook);
		if (ret != -ENOMEM || outlook == NEVER)
			return ret;
	}
	join(wait, &me);
	ret = alloc_in_queue(zone, &me, request, deadline);
	leave(wait, &me);
	return ret;
}

/**
 * zone_wake() - memory of the zone may have become available
 * @zone: the zone, of which something was freed or the limit was raised
 *
 * Costs next to nothing while nobody waits.
 *
 * Context: any process context; the caller holds no lock of the zone.
 */
void zone_wake(struct shmzone *zone)
{
	struct zone_wait *wait = &zone->wait;
	unsigned int watch;

	/* (B): pairs with (A) in join(), zone_poll() and note_events(). */
	smp_mb();
	watch = READ_ONCE(wait->watch);
	if (watch & WATCH_POLLED) {
		atomic64_inc(&wait->events);
		/* (D): pairs with (C) in note_shortage(). */
		smp_mb__after_atomic();
		end_shortage(wait);
	}
	if (watch >= WATCH_WAITER)
		call_head(wait);
}

/**
 * zone_wake_dead() - nobody waits for a client that is dead
 * @zone: the zone
 * @client: the client, which was said to be dead before
 *
 * Context: may sleep; the caller holds no lock of the zone.
 */
void zone_wake_dead(struct shmzone *zone, struct client *client)
{
	struct zone_wait *wait = &zone->wait;
	struct waiter *waiter;

	/* Who joins after this sees that it is dead. */
	spin_lock(&wait->lock);
	while (!list_empty(&client->waiters)) {
		waiter = list_first_entry(&client->waiters, struct waiter, of_client);
		list_del_init(&waiter->of_client);
		wake_up(&waiter->wq);
		cond_resched_lock(&wait->lock);
	}
	spin_unlock(&wait->lock);
}

/**
 * zone_is_short() - whether memory of the zone is waited for
 * @zone: the zone
 *
 * Either somebody waits in the queue, or the zone was polled and is exhausted.
 */
bool zone_is_short(const struct shmzone *zone)
{
	return has_queue(&zone->wait) || READ_ONCE(zone->wait.exhausted);
}

/**
 * zone_poll() - ->poll() of zone descriptors
 * @file: the descriptor
 * @table: where to wait
 *
 * Return: EPOLLOUT, with EPOLLWRNORM, while an allocation may succeed through
 * a descriptor open for writing.
 */
__poll_t zone_poll(struct file *file, struct poll_table_struct *table)
{
	struct zone_file *zf = file->private_data;
	struct zone_wait *wait = &zf->zone->wait;

	poll_wait(file, &wait->poll, table);
	if (!(file->f_mode & FMODE_WRITE))
		return 0;
	if (!(READ_ONCE(wait->watch) & WATCH_POLLED)) {
		spin_lock(&wait->lock);
		if (!(wait->watch & WATCH_POLLED))
			add_watch(wait, WATCH_POLLED);
		spin_unlock(&wait->lock);
		/* (A): pairs with (B) in zone_wake(). */
		smp_mb();
	}
	/* What clears this wakes afterwards, and @table is in the queue now. */
	return READ_ONCE(wait->exhausted) ? 0 : EPOLLOUT | EPOLLWRNORM;
}
