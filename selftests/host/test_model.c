// SPDX-License-Identifier: GPL-2.0
/*
 * Long random sequences of operations on the heap, against the model.
 */
#include "model.h"
#include "../../kmod/core/heap.h"

static u64 next_random(struct model_source *source, u64 bound)
{
	return host_random(&source->seed) % bound;
}

static const struct {
	const char *name;
	u64 pages;
	u64 limit;
	u32 steps;
	u32 shards;
} cases[] = {
	{ "a heap of one usable page", 2, 2, 2000, 1 },
	{ "a heap of ten pages", 10, 10, 10000, 1 },
	{ "a heap of less than a chunk", 300, 300, 20000, 1 },
	{ "a heap of a chunk and a page", 513, 513, 20000, 1 },
	{ "a heap of some chunks", 5000, 5000, 20000, 1 },
	{ "a low limit in a large heap", 1 << 28, 40, 20000, 1 },
	{ "a heap of several top entries", 7000001, 7000001, 20000, 1 },
	{ "the largest heap", 1ULL << 32, 1ULL << 32, 10000, 1 },
	{ "three shards in a small heap", 300, 300, 20000, 3 },
	{ "all the shards there can be", 5000, 5000, 20000, 16 },
};

static const char *run(u64 pages, u64 limit, u32 steps, u64 seed)
{
	struct model_source source = { .next = next_random, .seed = seed };
	struct model *model = model_create(pages, limit);
	const char *error = NULL, *left;
	u32 i;

	for (i = 0; i < steps && !error; i++)
		error = model_step(model, &source);
	if (error)
		printf("# at step %u of seed %llu\n", i, (unsigned long long)seed);
	left = model_destroy(model);
	return error ? error : left;
}

int main(void)
{
	u32 i;

	host_plan(ARRAY_SIZE(cases));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		heap_shards = cases[i].shards;
		host_contend(heap_shards > 1 ? 2 : 0);
		CHECK_NULL(run(cases[i].pages, cases[i].limit, cases[i].steps, i));
		host_result(cases[i].name);
	}
	return host_done();
}
