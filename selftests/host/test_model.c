// SPDX-License-Identifier: GPL-2.0
/*
 * Long random sequences of operations on the heap, its owners and caches, against the
 * model.
 *
 *	test_model [OPERATIONS SEED]
 *
 * With arguments, far longer ones.
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
	bool releases;
	bool owned;
	bool hostile;
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
	{ "releasing, a heap of ten pages", 10, 10, 10000, 1, true },
	{ "releasing, a heap of a chunk and a page", 513, 513, 20000, 1, true },
	{ "releasing, a low limit in a large heap", 1 << 28, 40, 20000, 1, true },
	{ "releasing, the largest heap", 1ULL << 32, 1ULL << 32, 10000, 1, true },
	{ "releasing, all the shards there can be", 5000, 5000, 20000, 16, true },
	{ "owned, a heap of ten pages", 10, 10, 10000, 1, false, true },
	{ "owned, a heap of a chunk and a page", 513, 513, 20000, 1, false, true },
	{ "owned, a heap of some chunks", 5000, 5000, 20000, 1, false, true },
	{ "owned, a low limit in a large heap", 1 << 28, 40, 20000, 3, false, true },
	{ "owned, the largest heap", 1ULL << 32, 1ULL << 32, 10000, 1, false, true },
	{ "owned and releasing, a heap of some chunks", 5000, 5000, 20000, 1, true, true },
	{ "owned and releasing, three shards in a small heap", 300, 300, 20000, 3, true, true },
	{ "hostile, a heap of a chunk and a page", 513, 513, 20000, 1, false, false, true },
	{ "hostile, the largest heap", 1ULL << 32, 1ULL << 32, 10000, 1, false, false, true },
	{ "hostile and releasing, three shards in a small heap", 300, 300, 20000, 3, true, false,
	  true },
	{ "hostile and owned, a heap of some chunks", 5000, 5000, 20000, 1, false, true, true },
	{ "hostile, owned and releasing, a small heap", 300, 300, 20000, 1, true, true, true },
};

static const char *run(u32 at, u32 steps, u64 seed)
{
	struct model_source source = { .next = next_random, .seed = seed };
	struct model *model = model_create(cases[at].pages, cases[at].limit, cases[at].releases,
					   cases[at].owned, cases[at].hostile);
	const char *error = NULL, *left;
	u32 i;

	for (i = 0; i < steps && !error; i++)
		error = model_step(model, &source);
	if (error)
		printf("# at step %u of seed %llu\n", i, (unsigned long long)seed);
	left = model_destroy(model);
	return error ? error : left;
}

static const char *run_case(u32 i, u32 steps, u64 seed)
{
	heap_shards = cases[i].shards;
	host_contend(heap_shards > 1 ? 2 : 0);
	return run(i, steps, seed);
}

/* All heaps in turn, 100,000 operations on each, from one seed after the other. */
static int run_long(u64 operations, u64 seed)
{
	const u32 steps = 100000;
	const char *error = NULL;
	u64 done;

	for (done = 0; done < operations && !error; seed++) {
		u32 i = seed % ARRAY_SIZE(cases);

		error = run_case(i, steps, seed);
		done += steps;
		if (error)
			printf("%s: %s\n", cases[i].name, error);
	}
	printf("%llu operations up to seed %llu\n", (unsigned long long)done,
	       (unsigned long long)seed - 1);
	return !!error;
}

int main(int argc, char **argv)
{
	u32 i;

	if (argc == 3)
		return run_long(strtoull(argv[1], NULL, 0), strtoull(argv[2], NULL, 0));
	host_plan(ARRAY_SIZE(cases));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_NULL(run_case(i, cases[i].steps, i));
		host_result(cases[i].name);
	}
	return host_done();
}
