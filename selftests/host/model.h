/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A naive model of the heap, to compare it with.
 *
 * The model keeps a sorted array of the runs of pages that slabs and spans
 * have, as the heap's callbacks report them, and a byte for each slot. From
 * these it predicts the answer to every call: which frees are refused and
 * why, whether a request may fail, where the lowest free run is, all figures.
 * Of the caches that are filled from the heap it has an image of all their memory.
 *
 * Operations are chosen by a source of numbers, random or from a fuzzer.
 */
#ifndef SHMZONE_MODEL_H
#define SHMZONE_MODEL_H

#include "host.h"

/**
 * struct model_source - where choices come from
 * @next: returns a number below @bound
 * @data: input of a fuzzer that is left
 * @size: bytes in @data
 * @seed: state of random numbers
 */
struct model_source {
	u64 (*next)(struct model_source *source, u64 bound);
	const u8 *data;
	size_t size;
	u64 seed;
};

struct model;

/**
 * model_create() - a heap and its model
 * @pages: pages in the heap
 * @limit: its limit
 * @releases: it has a release callback
 * @owned: it has owners
 * @hostile: threads write into their caches what they like
 */
struct model *model_create(u64 pages, u64 limit, bool releases, bool owned, bool hostile);

/**
 * model_step() - one operation, chosen by the source
 *
 * Returns NULL, or a sentence that says where heap and model disagree.
 */
const char *model_step(struct model *model, struct model_source *source);

/**
 * model_check() - compare everything, and let the heap check itself
 */
const char *model_check(struct model *model);

/**
 * model_destroy() - free everything that lives, check what is left, end
 */
const char *model_destroy(struct model *model);

#endif /* SHMZONE_MODEL_H */
