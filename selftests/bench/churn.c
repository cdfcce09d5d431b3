// SPDX-License-Identifier: GPL-2.0
/*
 * A program's life with memory.
 *
 * Nothing here depends on what the allocator answers, so that each allocator
 * gets the same sequence from the same seed.
 */
#include "churn.h"
#include "host.h"

#include <sys/mman.h>

#define BYTES_MIN	8U
#define BYTES_MAX	4096U

/* Replacements until the state is steady, in times the number of objects. */
#define STEADY		4
#define KEEP_ONE_OF	10

/* Not by malloc(), which may be what is measured. */
static void *table(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("out of memory");
	return memory;
}

static u32 random_bytes(struct churn *churn)
{
	u64 random = host_random(&churn->seed);
	u32 base;

	if (churn->sizes == CHURN_UNIFORM)
		return BYTES_MIN + random % (BYTES_MAX - BYTES_MIN + 1);
	base = BYTES_MIN << (random >> 32) % __builtin_ctz(BYTES_MAX / BYTES_MIN);
	return base + 1 + (u32)random % base;
}

static void make(struct churn *churn, u32 i)
{
	churn->bytes[i] = random_bytes(churn);
	churn->object[i] = churn->ops->alloc(churn->arg, churn->bytes[i]);
	churn->live_bytes += churn->bytes[i];
}

static void drop(struct churn *churn, u32 i)
{
	churn->ops->free(churn->arg, churn->object[i], churn->bytes[i]);
	churn->object[i] = 0;
	churn->live_bytes -= churn->bytes[i];
}

void churn_begin(struct churn *churn, const struct churn_ops *ops, void *arg,
		 enum churn_sizes sizes, u64 seed)
{
	*churn = (struct churn){ .ops = ops, .arg = arg, .sizes = sizes, .seed = seed };
	churn->object = table(CHURN_OBJECTS * sizeof(*churn->object));
	churn->bytes = table(CHURN_OBJECTS * sizeof(*churn->bytes));
}

void churn_fill(struct churn *churn)
{
	u32 i;

	for (i = 0; i < CHURN_OBJECTS; i++)
		make(churn, i);
}

void churn_steady(struct churn *churn)
{
	u32 n, i;

	for (n = 0; n < STEADY * CHURN_OBJECTS; n++) {
		i = host_random(&churn->seed) % CHURN_OBJECTS;
		drop(churn, i);
		make(churn, i);
	}
}

void churn_shrink(struct churn *churn)
{
	u32 i;

	for (i = 0; i < CHURN_OBJECTS; i++)
		if (host_random(&churn->seed) % KEEP_ONE_OF)
			drop(churn, i);
}
