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

/* The figures of one shelf of an owner are added to a sum. */
static void add_shelf(struct heap_class_stat *sum, const struct heap_owner *owner, u32 class,
		      u32 group)
{
	struct heap_shelf *shelf;
	u32 i;

	rcu_read_lock();
	shelf = heap_shelf(owner, class, group);
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
	rcu_read_unlock();
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

	while ((owner = heap_owner_next(heap, owner))) {
		for (group = first; group <= last; group++)
			add_shelf(sum, owner, class, group);
		cond_resched();
	}
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

/* The whole heap. */

static void add_counts(struct heap_stat *stat, const struct heap_class_stat *sum)
{
	stat->requests += sum->requests;
	stat->failures += sum->failures;
	stat->frees += sum->frees;
}

/* The slots that one owner has in a group. */
static void add_group(struct heap_stat *stat, const struct heap_owner *owner, u32 group)
{
	struct heap_class_stat sum;
	u32 class;

	for (class = CLASS_SPAN + 1; class < CLASS_COUNT; class++) {
		sum = (struct heap_class_stat){};
		add_shelf(&sum, owner, class, group);
		stat->live_objects += sum.used;
		stat->live_bytes += sum.used * class_table[class].slot_bytes;
		stat->slabs += sum.slabs;
		add_counts(stat, &sum);
	}
}

static void add_slots(struct heap_stat *stat, struct heap *heap)
{
	struct heap_owner *owner = NULL;
	u32 group;

	while ((owner = heap_owner_next(heap, owner))) {
		for (group = 0; group < CLASS_GROUPS; group++)
			if (READ_ONCE(owner->group[group]))
				add_group(stat, owner, group);
		cond_resched();
	}
}

static void add_all_spans(struct heap_stat *stat, struct heap *heap)
{
	struct heap_class_stat sum;

	heap_get_class_stat(heap, CLASS_SPAN, CLASS_GROUPS, &sum);
	stat->live_objects += sum.slabs;
	stat->live_bytes += sum.used << PAGE_SHIFT;
	stat->spans = sum.slabs;
	add_counts(stat, &sum);
}

void heap_get_stat(struct heap *heap, struct heap_stat *stat)
{
	u64 lost = atomic64_read(&heap->lost);
	struct heap_room room;
	u32 i;

	*stat = (struct heap_stat){ .requests = lost, .failures = lost };
	add_slots(stat, heap);
	add_all_spans(stat, heap);
	for (i = 0; i < HEAP_REFUSALS; i++)
		stat->refused[i] = atomic64_read(&heap->refused[i]);
	heap_get_room(heap, &room);
	stat->taken_pages = room.taken_pages;
	stat->busy_pages = room.busy_pages;
	stat->limit_pages = room.limit_pages;
	stat->kernel_bytes = atomic64_read(&heap->kernel_bytes);
}

/* What is asked for when memory is short. */

void heap_get_room(struct heap *heap, struct heap_room *room)
{
	u32 group;

	core_lock(&heap->lock);
	room->taken_pages = heap_taken(heap);
	room->busy_pages = heap->busy_pages;
	room->limit_pages = heap->limit_pages;
	room->span_pages = 0;
	for (group = 0; group < CLASS_GROUPS; group++)
		room->span_pages += heap->spans[group].used;
	core_unlock(&heap->lock);
}

bool heap_has_slab(struct heap *heap, const struct heap_request *req)
{
	const struct heap_owner *owner = req->owner ?: &heap->nobody;
	u32 class = class_for(req->bytes, req->align);
	struct heap_class_stat sum = {};

	if (class != CLASS_SPAN)
		add_shelf(&sum, owner, class, req->group);
	return sum.slabs;
}
