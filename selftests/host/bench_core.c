// SPDX-License-Identifier: GPL-2.0
/*
 * What the operations of the heap cost, in nanoseconds for an object.
 *
 * Not a test: it prints figures, which mean something only beside each other.
 */
#include "host.h"
#include "../../kmod/core/heap.h"

#include <time.h>

static int prepare(void *owner, u64 first, u64 n, u64 marked)
{
	(void)owner;
	(void)first;
	(void)n;
	(void)marked;
	return 0;
}

static void mark(void *owner, u64 first, u64 n, u32 entry)
{
	(void)owner;
	(void)first;
	(void)n;
	(void)entry;
}

static const struct heap_ops ops = { .prepare = prepare, .mark = mark };

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static struct heap *heap;
static u64 seed;

static void make(u64 bytes, u64 *offsets, u32 n)
{
	struct heap_request request = { .bytes = bytes };

	if (heap_alloc(heap, &request, offsets, n) != (int)n)
		abort();
}

static void drop(const u64 *offsets, u32 n)
{
	u32 freed;

	if (heap_free(heap, offsets, n, 0, &freed) != (int)n)
		abort();
}

static void begin(void)
{
	seed = 1;
	heap = heap_create(1ULL << 32, 1ULL << 32, &ops, NULL);
}

/* Allocate and free @n at a time, beside @live other objects of the size. */
static void bench_pairs(const char *what, u64 bytes, u32 live, u32 n)
{
	u64 *offsets = malloc((live + 64) * sizeof(*offsets));
	u32 i, rounds = 2000000 / n;
	double start;

	begin();
	for (i = 0; i < live; i++)
		make(bytes, &offsets[i], 1);
	make(bytes, &offsets[live], n);
	start = now();
	for (i = 0; i < rounds; i++) {
		drop(&offsets[live], n);
		make(bytes, &offsets[live], n);
	}
	printf("%-44s %8.1f\n", what, (now() - start) / rounds / n);
	heap_destroy(heap);
	free(offsets);
}

/* Free @n random ones of many live objects, allocate as many anew. */
static void bench_random(const char *what, u64 bytes, u32 live, u32 n)
{
	u64 *offsets = malloc(live * sizeof(*offsets)), batch[HEAP_BATCH_MAX];
	u32 i, j, rounds = 1000000 / n, victim[HEAP_BATCH_MAX];
	double start, freeing = 0, making = 0;

	begin();
	for (i = 0; i < live; i += n)
		make(bytes, &offsets[i], n);
	for (i = 0; i < rounds; i++) {
		for (j = 0; j < n; j++) {
			victim[j] = host_random(&seed) % live;
			batch[j] = offsets[victim[j]];
			if (!batch[j])
				j--;
			else
				offsets[victim[j]] = 0;
		}
		start = now();
		drop(batch, n);
		freeing += now() - start;
		start = now();
		make(bytes, batch, n);
		making += now() - start;
		for (j = 0; j < n; j++)
			offsets[victim[j]] = batch[j];
	}
	printf("%-36s free %8.1f alloc %8.1f\n", what, freeing / rounds / n, making / rounds / n);
	heap_destroy(heap);
	free(offsets);
}

int main(void)
{
	bench_pairs("span of 9 pages, 1000 live", 9 << 12, 1000, 1);
	bench_pairs("span of 9 pages, 1 million live", 9 << 12, 1000000, 1);
	bench_pairs("slot of 64 bytes, one at a time", 64, 1000, 1);
	bench_pairs("slot of 64 bytes, 64 at a time", 64, 1000, 64);
	bench_pairs("slot of 4096 bytes, 64 at a time", 4096, 1000, 64);
	bench_random("64 bytes, 10 million live, 64 random", 64, 10000000 / 64 * 64, 64);
	bench_random("64 bytes, 10 million live, 1 random", 64, 10000000, 1);
	bench_random("spans, 1 million live, 1 random", 9 << 12, 1000000, 1);
	return 0;
}
