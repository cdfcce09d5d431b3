/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of the library over the stand-in share.
 */
#ifndef SHMZONE_HOST_USERLIB_H
#define SHMZONE_HOST_USERLIB_H

#include "device.h"

#include <shmzone.h>

#define ZONE_BYTES	(1ULL << 30)

/* Threads that can have a number, see the Makefile. */
#define NUMBERS		64

/* Of userlib/src/thread.c. */
int thread_number(void);
pid_t thread_id(void);

/* The depot of a slot, in which the thread comes first that has locked it. */
void *depot_of(u32 slot);

/* Of userlib/src/region.c. */
struct shmzone_cache_head *slot_cache(u32 slot, u32 number);

void slots_lock(u64 *signals);
void slots_unlock(const u64 *signals);

/* Caches that are no thread's, the last ones; see userlib/src/depot.c. */
#define DEPOT_CACHES	32

/**
 * struct held - an object that a test has
 * @p: where it is, NULL for none
 * @bytes: its size
 * @group: its group
 */
struct held {
	u8 *p;
	size_t bytes;
	u32 group;
};

struct shmz *zone_begin(void);

/* Nothing is left over in it, and the heap is consistent; and closes it. */
void zone_end(struct shmz *z);

/* Frees of it that were refused. */
u64 zone_refused(struct shmz *z);

/* An object of random size and group, filled with @mark. */
void hold(struct shmz *z, struct held *held, u64 *seed, u8 mark);

/* Is it still filled with @mark? Then it is freed in some way. */
bool let_go(struct shmz *z, struct held *held, u64 *seed, u8 mark);

/* Counts what is wrong, in whatever thread, and says where for the first. */
#define require(right)	require_at(right, __LINE__)

void require_at(bool right, int line);

/* Threads that are given 1, 2 and so on; returns when they have ended. */
void run_threads(u32 n, void *(*function)(void *arg));

/* Nothing was wrong. */
void no_troubles(void);

/* The same, no free was refused, and zone_end(). */
void end_run(struct shmz *zone);

#endif /* SHMZONE_HOST_USERLIB_H */
