// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing of the heap, its owners and the caches that are filled from it: bytes choose
 * operations and what hostile threads write, the model says what to expect.
 */
#include "model.h"
#include "../../kmod/core/heap.h"

#define STEPS_MAX	300

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u64 next_byte(struct model_source *source)
{
	if (!source->size)
		return 0;
	source->size--;
	return *source->data++;
}

static u64 next_input(struct model_source *source, u64 bound)
{
	u64 value = 0, reach = 1;

	for (; reach && reach < bound; reach <<= 8)
		value = value << 8 | next_byte(source);
	return value % bound;
}

static void require(const char *error)
{
	if (!error)
		return;
	fprintf(stderr, "%s\n", error);
	abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u64 pages[] = { 2, 9, 100, 513, 5000, 1 << 21, 7000001, 1ULL << 32 };
	struct model_source source = { .next = next_input, .data = data, .size = size };
	u64 count = pages[next_input(&source, ARRAY_SIZE(pages))];
	struct model *model;
	bool releases, owned;
	u32 i;

	heap_shards = 1 + next_input(&source, 2) * 2;
	host_contend(heap_shards > 1 ? 1 : 0);
	releases = next_input(&source, 2);
	owned = next_input(&source, 2);
	model = model_create(count, count, releases, owned, next_input(&source, 2));

	for (i = 0; i < STEPS_MAX && source.size; i++)
		require(model_step(model, &source));
	require(model_destroy(model));
	if (host_bytes())
		require("fuzz: memory is left over");
	return 0;
}
