/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two files on caches share: model_magazines.c foresees what is in a cache,
 * model_caches.c makes steps.
 */
#ifndef SHMZONE_MODEL_CACHES_H
#define SHMZONE_MODEL_CACHES_H

#include "model_impl.h"

/* The head and a word of a cache, in its image. */
struct cache_head *image_head(struct model_cache *cache);
u64 *image_word(struct model_cache *cache, u32 word);

/* The place that the image has for @place, where thread and kernel see it; or NULL. */
void *shared(struct model_cache *cache, const void *place);

/* The thread writes, if there is a page. */
void poke(struct model_cache *cache, void *place, u64 value, size_t bytes);

/* Of a bin: what it is for, the word below its first, and the bytes it may have. */
bool is_pending(const struct model_bin *bin);
u32 bottom_of(const struct model_bin *bin);
u64 capacity_bytes(const struct model_bin *bin);
u32 next_capacity(const struct model_bin *bin);

/* Whether the thread's count of what is in a bin can be right. */
bool is_right(struct model_cache *cache, u32 i);

/* The bin of a class and group, or 0. */
u32 find_bin(const struct model_cache *cache, u32 class, u32 group);

/* What the functions of core/magazine.h are to do, done to the image. */
void foresee_shown(struct model_cache *cache, u32 i, u32 used);
u32 foresee_used(struct model_cache *cache, u32 i);
u32 foresee_bin(struct model_cache *cache, u32 class, u32 group);
u32 foresee_make(struct model_cache *cache, u32 class, u32 group);
u64 foresee_growth(const struct model_cache *cache, u32 i);
u32 foresee_lacks(struct model_cache *cache, u32 i);

/* Whether it is all as foreseen. */
const char *check_cache(struct model_cache *cache);

#endif /* SHMZONE_MODEL_CACHES_H */
