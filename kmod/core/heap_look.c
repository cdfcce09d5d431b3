// SPDX-License-Identifier: GPL-2.0
/*
 * What lives where: one offset, or all of a heap in order.
 *
 * The walk takes a step for each slab or span: the directory says where the next
 * one is, under the pages lock, and its slots are looked at under the lock of its
 * shard, as many as are asked for at once.
 */
#include "core_env.h"
#include "heap_impl.h"
#include "heap_kin.h"

static void fill_who(struct heap *heap, struct heap_object *object, u16 who)
{
	const struct heap_owner *owner;

	object->linked = false;
	if (who_is_kin(who)) {
		core_lock(&heap->lock);
		who = heap_kin_who(heap, object->offset, &object->linked);
		core_unlock(&heap->lock);
	}
	owner = heap_owner_at(heap, who & OWNER_TAG_MASK);
	object->owner = owner ? owner->id : 0;
	object->offered = who & OWNER_OFFERED;
}

static void fill_span(struct heap *heap, struct heap_object *object, u64 page, u64 entry)
{
	object->offset = page << PAGE_SHIFT;
	object->class = CLASS_SPAN;
	object->group = dir_span_group(entry);
	object->bytes = dir_span_pages(entry) << PAGE_SHIFT;
	fill_who(heap, object, dir_span_who(entry));
}

/* Under the shard's lock. */
static void fill_slot(struct heap *heap, struct heap_object *object, struct slab *slab, u32 i)
{
	object->class = slab_class(slab);
	object->group = slab_group(slab);
	object->bytes = class_table[object->class].slot_bytes;
	object->offset = slab_start(slab) + i * object->bytes;
	fill_who(heap, object, heap_slot_who(slab, i));
}

static bool find_slot(struct heap *heap, u64 offset, struct slab *slab,
		      struct heap_object *object)
{
	struct heap_shard *shard = heap_shard(heap, slab);
	bool live;
	u64 i;

	if (!shard)
		return false;
	core_lock(&shard->lock);
	live = slab_slot(slab, offset, &i) && slab_slot_taken(slab, i);
	if (live)
		fill_slot(heap, object, slab, i);
	core_unlock(&shard->lock);
	return live;
}

int heap_find(struct heap *heap, u64 offset, struct heap_object *object)
{
	u64 entry = 0, page = offset >> PAGE_SHIFT;
	bool live;

	rcu_read_lock();
	if (page < heap->pages.count)
		entry = dir_get(&heap->dir, page);
	if (dir_is_slab(entry)) {
		live = find_slot(heap, offset, dir_slab_of(entry), object);
	} else {
		live = dir_is_span(entry) && !(offset & (PAGE_SIZE - 1));
		if (live)
			fill_span(heap, object, page, entry);
	}
	rcu_read_unlock();
	return live ? 0 : -EINVAL;
}

/* The live slots of a slab from an offset on; moves that on. */
static u32 walk_slab(struct heap *heap, struct slab *slab, u64 *cursor,
		     struct heap_object *objects, u32 n)
{
	const struct class_info *info = &class_table[slab_class(slab)];
	struct heap_shard *shard = heap_shard(heap, slab);
	u64 start = slab_start(slab);
	u32 i, found = 0;

	i = *cursor > start ? DIV_ROUND_UP((u32)(*cursor - start), info->slot_bytes) : 0;
	if (shard) {
		core_lock(&shard->lock);
		for (; i < info->slots && found < n; i++)
			if (slab_slot_taken(slab, i))
				fill_slot(heap, &objects[found++], slab, i);
		core_unlock(&shard->lock);
	} else {
		i = info->slots;
	}
	*cursor = start + (u64)i * info->slot_bytes;
	return found;
}

/* Goes on to the next slab or span. Returns whether there was one. */
static bool walk_step(struct heap *heap, u64 *cursor, struct heap_object *objects, u32 n,
		      u32 *found)
{
	u64 entry, page = (*cursor + PAGE_SIZE - 1) >> PAGE_SHIFT;

	rcu_read_lock();
	core_lock(&heap->lock);
	/* A slab that was left in the middle of a page. */
	if (*cursor % PAGE_SIZE && dir_is_slab(dir_get(&heap->dir, page - 1)))
		page--;
	entry = page < heap->pages.count ? dir_next(&heap->dir, &page) : 0;
	core_unlock(&heap->lock);

	*found = 0;
	if (dir_is_slab(entry)) {
		*found = walk_slab(heap, dir_slab_of(entry), cursor, objects, n);
	} else if (entry) {
		if (dir_is_span(entry))
			fill_span(heap, &objects[(*found)++], page, entry);
		*cursor = (page + 1) << PAGE_SHIFT;
	}
	rcu_read_unlock();
	return entry;
}

u32 heap_walk(struct heap *heap, u64 *cursor, struct heap_object *objects, u32 n)
{
	u32 more, found = 0;

	if (*cursor >> PAGE_SHIFT >= heap->pages.count)
		return 0;
	while (found < n && walk_step(heap, cursor, objects + found, n - found, &more)) {
		found += more;
		cond_resched();
	}
	return found;
}
