/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program's life with memory, the same for whatever allocator: objects of
 * mixed sizes come and go until a steady state, then most of them go.
 */
#ifndef SHMZONE_BENCH_CHURN_H
#define SHMZONE_BENCH_CHURN_H

#include "bench.h"

/* Objects at the same time. */
#define CHURN_OBJECTS	200000U

/**
 * struct churn_ops - an allocator
 * @alloc: returns an object whose bytes are all written, never 0
 * @free: frees one
 */
struct churn_ops {
	u64 (*alloc)(void *arg, u32 bytes);
	void (*free)(void *arg, u64 object, u32 bytes);
};

enum churn_sizes {
	CHURN_UNIFORM,		/* 8 to 4096 bytes */
	CHURN_LOG_UNIFORM,	/* the same, each doubling as likely */
	CHURN_SIZES
};

/**
 * struct churn - one life
 * @ops: the allocator
 * @arg: its argument
 * @sizes: how sizes are distributed
 * @seed: where the random numbers are
 * @object: objects, 0 for none
 * @bytes: their sizes
 * @live_bytes: sum of the sizes of what is live
 */
struct churn {
	const struct churn_ops *ops;
	void *arg;
	enum churn_sizes sizes;
	u64 seed;
	u64 *object;
	u32 *bytes;
	u64 live_bytes;
};

/* All its memory is touched here, none of it later. */
void churn_begin(struct churn *churn, const struct churn_ops *ops, void *arg,
		 enum churn_sizes sizes, u64 seed);

/* Fills all places; replaces objects at random; frees nine of ten at random. */
void churn_fill(struct churn *churn);
void churn_steady(struct churn *churn);
void churn_shrink(struct churn *churn);

#endif /* SHMZONE_BENCH_CHURN_H */
