/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocators that are compared, all in one process.
 *
 * Each is a shared object of its own, loaded such that its malloc() is nobody
 * else's, and called through pointers; the compiler knows nothing of what it
 * calls. The zone's is libshmzone with the allocator's core behind a stand-in
 * for the device: what would be an ioctl makes real ioctls that do nothing, as
 * many as it is charged with.
 *
 * The zone's functions have one argument more. So that neither side pays for a
 * wrapper, patterns are written once, with a constant parameter that says
 * which, and compiled twice: see BOTH().
 */
#ifndef SHMZONE_BENCH_ALLOCATOR_H
#define SHMZONE_BENCH_ALLOCATOR_H

#include "bench.h"
#include "peer.h"

#include <stddef.h>

struct shmz;

/* The zone, then the peers in the order of peers[]. */
#define ALLOCATORS	(PEERS + 1)

/**
 * struct allocator - an allocator's functions
 * @name: its name
 * @zone: the zone, or NULL for a peer
 * @drop_sized: frees an object of known size; a peer that has none just frees.
 *		jemalloc's takes flags, which others do not look at
 */
struct allocator {
	const char *name;
	struct shmz *zone;
	union {
		void *(*take)(size_t bytes);
		void *(*zone_take)(struct shmz *zone, size_t bytes);
	};
	union {
		void (*drop)(void *object);
		int (*zone_drop)(struct shmz *zone, void *object);
	};
	union {
		void (*drop_sized)(void *object, size_t bytes, int flags);
		int (*zone_drop_sized)(struct shmz *zone, void *object, size_t bytes);
	};
	union {
		void *(*take_zeroed)(size_t n, size_t bytes);
		void *(*zone_take_zeroed)(struct shmz *zone, size_t n, size_t bytes);
	};
	union {
		void *(*resize)(void *object, size_t bytes);
		void *(*zone_resize)(struct shmz *zone, void *object, size_t bytes);
	};
	union {
		void *(*take_aligned)(size_t align, size_t bytes);
		void *(*zone_take_aligned)(struct shmz *zone, size_t align, size_t bytes);
	};
};

/**
 * allocator_load() - have an allocator ready
 * @index: which, 0 for the zone
 * @charge: ioctls made for each that would be
 *
 * Returns NULL if it is not there. The charge of the first call is the one that
 * counts in a process.
 */
const struct allocator *allocator_load(u32 index, u64 charge);

/* One more zone, of a kind of shmz_create()'s, for a copy of the first allocator. */
struct shmz *allocator_zone(unsigned int kind);

/*
 * Boost.Interprocess, and DPDK's rte_mempool with objects of 64 bytes: they only
 * take and drop. NULL if they are not there.
 */
const struct allocator *allocator_boost(void);
const struct allocator *allocator_pool(void);

/*
 * Takes none of a pattern's time: gives out the same objects of 64 bytes, more than
 * are in use at a time, in turn. What a pattern takes with it, it takes with any.
 */
const struct allocator *allocator_nothing(void);

/* Why there may be none. */
const char *allocator_lacks(u32 index);

static __always_inline void *take(const struct allocator *from, size_t bytes, const bool zone)
{
	return zone ? from->zone_take(from->zone, bytes) : from->take(bytes);
}

static __always_inline void drop(const struct allocator *from, void *object, const bool zone)
{
	if (zone)
		from->zone_drop(from->zone, object);
	else
		from->drop(object);
}

static __always_inline void drop_sized(const struct allocator *from, void *object, size_t bytes,
				       const bool zone)
{
	if (zone)
		from->zone_drop_sized(from->zone, object, bytes);
	else
		from->drop_sized(object, bytes, 0);
}

static __always_inline void *take_zeroed(const struct allocator *from, size_t bytes,
					 const bool zone)
{
	return zone ? from->zone_take_zeroed(from->zone, 1, bytes) : from->take_zeroed(1, bytes);
}

static __always_inline void *resize(const struct allocator *from, void *object, size_t bytes,
				    const bool zone)
{
	return zone ? from->zone_resize(from->zone, object, bytes) : from->resize(object, bytes);
}

static __always_inline void *take_aligned(const struct allocator *from, size_t align,
					  size_t bytes, const bool zone)
{
	return zone ? from->zone_take_aligned(from->zone, align, bytes) :
		      from->take_aligned(align, bytes);
}

/*
 * A program writes to what it allocates, and reads what it frees. Both ends, as
 * what a size needs beyond them is the same for all.
 */
static __always_inline void touch(void *object, size_t bytes)
{
	BENCH_ASSERT(object);
	*(volatile u64 *)object = bytes;
	((volatile u8 *)object)[bytes - 1] = 1;
}

static __always_inline void look(const void *object)
{
	(void)*(const volatile u64 *)object;
}

/**
 * BOTH() - compile a pattern's rounds for the zone and for peers
 * @name: an inline function (struct watch *watch, void *arg, const bool zone)
 *
 * Defines name_rounds[], indexed by whether it is the zone.
 */
#define BOTH(name)							\
static void name##_peer(struct watch *watch, void *arg)			\
{									\
	name(watch, arg, false);					\
}									\
									\
static void name##_zone(struct watch *watch, void *arg)			\
{									\
	name(watch, arg, true);						\
}									\
									\
static void (*const name##_rounds[])(struct watch *watch, void *arg) = {	\
	name##_peer, name##_zone,					\
}

/**
 * struct contest - all allocators at one pattern
 * @where: what exactly
 * @rounds: from BOTH()
 * @begin: prepares an allocator's part; what it returns is the rounds' argument
 * @arg: for @begin
 * @charge: for allocator_load(); bars are for a charge of 1
 * @always: bars are for any charge
 * @bars: of the ratio to each peer, 0 for none
 * @best_bar: of the ratio to the best peer, 0 for none
 * @fewer_instructions: than tcmalloc is a bar too
 * @pool: allocator_pool() is one more, and allocator_nothing() to compare with
 */
struct contest {
	const char *where;
	void (*const *rounds)(struct watch *watch, void *arg);
	void *(*begin)(const struct allocator *allocator, u64 arg);
	u64 arg;
	u64 charge;
	bool always;
	double bars[PEERS];
	double best_bar;
	bool fewer_instructions;
	bool pool;
};

/* "native, WHAT" and the charge, until the next call. */
const char *contest_where(const char *what, u64 charge);

/* Leaves one bar alone, that of the ratio to tcmalloc. */
void contest_beside_tcmalloc(struct contest *contest, double bar);

/* Measures and reports it. */
void contest_run(const struct contest *contest);

/*
 * Reports what was measured by other means; samples of those that are not there
 * have no rounds.
 */
void contest_report(const struct contest *contest, const struct sample *samples);

/**
 * struct step - one step of a pattern: an object is replaced
 * @place: which
 * @bytes: the size of the new one
 */
struct step {
	u32 place;
	u32 bytes;
};

#define STEPS		(1U << 16)
#define PLACES		10000U
#define BYTES_MIN	8U
#define BYTES_MAX	1024U

/* The same steps for all, at random places and of random sizes. */
const struct step *steps_make(void);

#endif /* SHMZONE_BENCH_ALLOCATOR_H */
