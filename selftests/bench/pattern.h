/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Patterns whose memory is looked at when they end.
 */
#ifndef SHMZONE_BENCH_PATTERN_H
#define SHMZONE_BENCH_PATTERN_H

#include "allocator.h"

/**
 * struct pattern - something that is done with memory
 * @rounds: from BOTH(); leaves objects live
 * @begin: as for a contest
 * @live_bytes: what is live after a round
 */
struct pattern {
	void (*const *rounds)(struct watch *watch, void *arg);
	void *(*begin)(const struct allocator *allocator, u64 arg);
	u64 (*live_bytes)(const void *arg);
};

extern const struct pattern pattern_live;	/* host_single.c */
extern const struct pattern pattern_larson;	/* host_crowd.c */
extern const struct pattern pattern_trace;	/* host_trace.c */

#endif /* SHMZONE_BENCH_PATTERN_H */
