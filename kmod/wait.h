/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for memory of a zone: see wait.c.
 */
#ifndef SHMZONE_WAIT_H
#define SHMZONE_WAIT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

struct client;
struct heap_request;
struct shmzone;

/**
 * struct zone_wait - who waits for memory of a zone, and how
 * @watch: who is to be told of frees: %WATCH_POLLED, and %WATCH_WAITER times
 *         the length of @queue; written under @lock, read without
 * @exhausted: an allocation failed and nothing was freed since, as far as it is
 *             known; only if %WATCH_POLLED
 * @retry: those who poll are to be woken after a while, see zone_wake_soon()
 * @events: how often something was freed since the zone was first polled
 * @lock: see there, and @queue
 * @queue: struct waiter, in order of arrival
 * @poll: those who sleep in poll(2) and its kin
 */
struct zone_wait {
	unsigned int watch;
	unsigned int exhausted;
	bool retry;
	atomic64_t events;
	spinlock_t lock;	/* @queue, changes of @watch, waiter->turn */
	struct list_head queue;
	wait_queue_head_t poll;
};

#define WATCH_POLLED	1U
#define WATCH_WAITER	2U

/**
 * struct zone_request - a request for objects of a zone
 * @req: which objects
 * @offsets: gets their offsets
 * @count: how many
 * @enough: how many are enough for nobody to be told of a shortage
 * @client: NULL, or who waits only for as long as it is alive
 */
struct zone_request {
	const struct heap_request *req;
	u64 *offsets;
	u32 count;
	u32 enough;
	struct client *client;
};

void zone_wait_init(struct zone_wait *wait);
int zone_alloc(struct shmzone *zone, const struct zone_request *request);
int zone_alloc_wait(struct shmzone *zone, const struct zone_request *request,
		    u64 timeout_ns);
void zone_wake(struct shmzone *zone);
void zone_wake_dead(struct shmzone *zone, struct client *client);
bool zone_takes_retry(struct shmzone *zone);
bool zone_is_short(const struct shmzone *zone);
__poll_t zone_poll(struct file *file, struct poll_table_struct *table);

#endif /* SHMZONE_WAIT_H */
