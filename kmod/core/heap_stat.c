// SPDX-License-Identifier: GPL-2.0
/*
 * Figures of a heap.
 *
 * Every shard keeps its own, spans have theirs under the pages lock; sums are
 * made when they are asked for. Nobody's shards get those of owners that go.
 * Each part of a sum is consistent in itself, but parts are looked at one after
 * the other, while the heap is in use.
 */
#include "core_env.h"
#include "heap_impl.h"

/* The figures of one shelf are added to a sum. */
static void add_shelf(struct heap_class_stat *sum, const struct heap_shelf *shelf, u32 class)
{
	u32 i;

	for (i = 0; shelf && i < heap_shelf_shards(shelf); i++) {
		struct heap_shard *shard = shelf->shard[i];

		core_lock(&shard->lock);
		sum->slabs += shard->stat.slabs;
		sum->total += shard->stat.slabs * class_table[class].slots;
		sum->used += shard->stat.used;
		sum->requests += shard->stat.requests;
		sum->failures += shard->stat.failures;
		sum->frees += shard->stat.frees;
		core_unlock(&shard->lock);
	}
}

static void add_spans(struct heap_class_stat *sum, struct heap *heap, u32 group)
{
	const struct heap_class_stat *spans = &heap->spans[group];

	core_lock(&heap->lock);
	sum->slabs += spans->slabs;
	sum->total += spans->used;
	sum->used += spans->used;
	sum->requests += spans->requests;
	sum->failures += spans->failures;
	sum->frees += spans->frees;
	core_unlock(&heap->lock);
}

/* Slots of one class in one group, or all, of all owners. */
static void add_shelves(struct heap_class_stat *sum, struct heap *heap, u32 class, u32 first,
			u32 last)
{
	struct heap_owner *owner = NULL;
	u32 group;

	while ((owner = heap_owner_next(heap, owner)))
		for (group = first; group <= last; group++)
			add_shelf(sum, heap_shelf(owner, class, group), class);
}

void heap_get_class_stat(struct heap *heap, u32 class, u32 group, struct heap_class_stat *stat)
{
	u32 first = group == CLASS_GROUPS ? 0 : group;
	u32 last = group == CLASS_GROUPS ? CLASS_GROUPS - 1 : group;

	memset(stat, 0, sizeof(*stat));
	if (class >= CLASS_COUNT || group > CLASS_GROUPS)
		return;
	if (class != CLASS_SPAN)
		add_shelves(stat, heap, class, first, last);
	else
		for (; first <= last; first++)
			add_spans(stat, heap, first);
}

static void add_class(struct heap_stat *stat, struct heap *heap, u32 class)
{
	struct heap_class_stat sum;
	u64 live;

	heap_get_class_stat(heap, class, CLASS_GROUPS, &sum);
	live = class == CLASS_SPAN ? sum.slabs : sum.used;
	stat->live_objects += live;
	stat->live_bytes += class == CLASS_SPAN ? sum.used << PAGE_SHIFT :
			    live * class_table[class].slot_bytes;
	if (class == CLASS_SPAN)
		stat->spans = sum.slabs;
	else
		stat->slabs += sum.slabs;
	stat->requests += sum.requests;
	stat->failures += sum.failures;
	stat->frees += sum.frees;
}

void heap_get_stat(struct heap *heap, struct heap_stat *stat)
{
	u64 lost = atomic64_read(&heap->lost);
	u32 i;

	*stat = (struct heap_stat){ .requests = lost, .failures = lost };
	for (i = 0; i < CLASS_COUNT; i++)
		add_class(stat, heap, i);
	for (i = 0; i < HEAP_REFUSALS; i++)
		stat->refused[i] = atomic64_read(&heap->refused[i]);
	core_lock(&heap->lock);
	stat->taken_pages = heap_taken(heap);
	stat->busy_pages = heap->busy_pages;
	stat->limit_pages = heap->limit_pages;
	core_unlock(&heap->lock);
	stat->kernel_bytes = atomic64_read(&heap->kernel_bytes);
}
