// SPDX-License-Identifier: GPL-2.0
/*
 * What one thread allocates another frees.
 *
 * prodcon: a thread allocates and writes objects, a second reads and frees them.
 * Pointers pass through a ring, some at a time, so that the ring is not what is
 * measured. Time is wall time for each object, threads made anew in each round.
 */
#include "allocator.h"
#include "rows.h"

#include <stdatomic.h>

#define HANDED		200000U
#define RING		4096U
#define HANDFUL		32U
#define SPINS		1000U

/* The sizes of prodcon. */
#define MIXED		0

/**
 * struct handover - producer, consumer and what is between them
 * @from: the allocator
 * @steps: sizes, if they are mixed
 * @bytes: else the size
 * @made: objects that were put into the ring, ever
 * @used: objects that were taken out of it
 * @ring: pointers
 */
struct handover {
	const struct allocator *from;
	const struct step *steps;
	size_t bytes;
	_Alignas(128) _Atomic u32 made;
	_Alignas(128) _Atomic u32 used;
	_Alignas(128) void *ring[RING];
};

/* Waits until a count is another one; gives the new one. */
static u32 await_change(_Atomic u32 *count, u32 old)
{
	u32 now, spins = 0;

	while ((now = atomic_load_explicit(count, memory_order_acquire)) == old)
		if (++spins % SPINS == 0)
			sched_yield();
	return now;
}

static __always_inline void produce(struct handover *handover, const bool zone)
{
	size_t bytes = handover->bytes;
	u32 i, used = 0;
	void *object;

	for (i = 0; i < HANDED; i++) {
		if (handover->steps)
			bytes = handover->steps[i % STEPS].bytes;
		object = take(handover->from, bytes, zone);
		touch(object, bytes);
		while (i - used == RING)
			used = await_change(&handover->used, used);
		handover->ring[i % RING] = object;
		if ((i + 1) % HANDFUL == 0)
			atomic_store_explicit(&handover->made, i + 1, memory_order_release);
	}
	atomic_store_explicit(&handover->made, i, memory_order_release);
}

static __always_inline void consume(struct handover *handover, const bool zone)
{
	u32 i, made = 0;

	for (i = 0; i < HANDED; i++) {
		while (i == made)
			made = await_change(&handover->made, made);
		look(handover->ring[i % RING]);
		drop(handover->from, handover->ring[i % RING], zone);
		if ((i + 1) % HANDFUL == 0)
			atomic_store_explicit(&handover->used, i + 1, memory_order_release);
	}
}

static void *consume_peer(void *arg)
{
	consume(arg, false);
	return NULL;
}

static void *consume_zone(void *arg)
{
	consume(arg, true);
	return NULL;
}

static __always_inline void handed(struct watch *watch, void *arg, const bool zone)
{
	struct handover *handover = arg;
	pthread_t consumer;

	atomic_store(&handover->made, 0);
	atomic_store(&handover->used, 0);
	watch_start(watch);
	if (pthread_create(&consumer, NULL, zone ? consume_zone : consume_peer, handover))
		bench_die("no thread can be made");
	produce(handover, zone);
	pthread_join(consumer, NULL);
	watch_stop(watch, HANDED);
}

BOTH(handed);

static void *handover_begin(const struct allocator *allocator, u64 bytes)
{
	struct handover *handover = aligned_alloc(128, sizeof(*handover));

	if (!handover)
		bench_die("out of memory");
	memset(handover, 0, sizeof(*handover));
	handover->from = allocator;
	handover->steps = bytes == MIXED ? steps_make() : NULL;
	handover->bytes = bytes;
	return handover;
}

static void prodcon(const char *what, u64 bytes, u64 charge)
{
	struct contest contest = {
		.where = contest_where(what, charge),
		.rounds = handed_rounds,
		.begin = handover_begin,
		.arg = bytes,
		.charge = charge,
		.always = true,
		.best_bar = 0.7,
		.pool = bytes == 64,
	};

	contest_run(&contest);
}

void host_prodcon(u64 charge)
{
	prodcon("2 threads, 64 bytes", 64, charge);
	prodcon("2 threads, 8 to 1024", MIXED, charge);
}
