/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the slots.
 */
#include "cases.h"
#include "../core/slots.h"

#define RIG_SLABS	4
#define RIG_GROUP	3
#define RIG_SHARD	5

/**
 * struct slots_rig - a rack and its slabs
 * @slab: slab i begins at page 100 * (i + 1)
 */
struct slots_rig {
	struct slots_rack rack;
	struct slab *slab[RIG_SLABS];
	u32 class;
	u64 offset[32768];
};

static struct slots_rig *slots_rig_make(u32 class, u32 slabs)
{
	struct slots_rig *rig = core_zalloc_array(1, sizeof(*rig));
	u32 i;

	if (!rig)
		return NULL;
	rig->class = class;
	slots_rack_init(&rig->rack);
	for (i = 0; i < slabs; i++) {
		rig->slab[i] = core_zalloc(slab_bytes(class));
		if (rig->slab[i])
			slab_init(rig->slab[i], SLAB_HOME(class, RIG_GROUP, RIG_SHARD),
				  100 * (i + 1), 0);
	}
	return rig;
}

static const char *slots_rig_free(struct slots_rig *rig)
{
	u32 i;

	for (i = 0; i < RIG_SLABS; i++)
		core_free(rig->slab[i]);
	core_free_array(rig);
	return NULL;
}

static u64 slot_offset(const struct slots_rig *rig, u32 slab, u32 index)
{
	return slab_start(rig->slab[slab]) +
	       index * class_table[rig->class].slot_bytes;
}

/* Leaves a fresh slab with its first slots taken, on the rack. */
static const char *slots_fill(struct slots_rig *rig, u32 slab, u32 n)
{
	REQUIRE(slab_take(rig->slab[slab], rig->offset, n) == n);
	REQUIRE(!slots_settle(&rig->rack, rig->slab[slab]));
	return slab_check(rig->slab[slab]);
}

static const char *slots_consistent(const struct slots_rig *rig, u64 want)
{
	u64 slabs;

	REQUIRE_NULL(slots_check(&rig->rack, SLAB_HOME(rig->class, RIG_GROUP, RIG_SHARD), &slabs));
	REQUIRE(slabs == want);
	return NULL;
}

/* Gives a slot back that is taken. */
static const char *slots_give(struct slots_rig *rig, u32 slab, u32 want)
{
	u64 index;

	REQUIRE(slab_slot(rig->slab[slab], slot_offset(rig, slab, want), &index));
	REQUIRE(index == want && slab_slot_taken(rig->slab[slab], index));
	REQUIRE(slab_give(rig->slab[slab], class_table[rig->class].reciprocal,
			  slot_offset(rig, slab, want)));
	return NULL;
}

static u32 slots_per_slab(const struct slots_rig *rig)
{
	return class_table[rig->class].slots;
}

static const char *slots_in_order(void)
{
	struct slots_rig *rig = slots_rig_make(1, 1);
	u32 i;

	REQUIRE(rig);
	REQUIRE_NULL(slots_fill(rig, 0, 64));
	REQUIRE(slots_take(&rig->rack, rig->offset + 64, 100) == 100);
	for (i = 0; i < 164; i++)
		REQUIRE(rig->offset[i] == slot_offset(rig, 0, i));
	REQUIRE_NULL(slots_consistent(rig, 1));
	return slots_rig_free(rig);
}

static const char *slots_lowest_first(void)
{
	struct slots_rig *rig = slots_rig_make(3, 1);
	static const u32 hole[] = { 5, 70, 71, 130 };
	u32 i;

	REQUIRE(rig);
	REQUIRE_NULL(slots_fill(rig, 0, slots_per_slab(rig)));
	for (i = 4; i--;)
		REQUIRE_NULL(slots_give(rig, 0, hole[i]));
	slots_settle(&rig->rack, rig->slab[0]);
	REQUIRE_NULL(slots_consistent(rig, 1));
	REQUIRE(slots_take(&rig->rack, rig->offset, 9) == 4);
	for (i = 0; i < 4; i++)
		REQUIRE(rig->offset[i] == slot_offset(rig, 0, hole[i]));
	REQUIRE_NULL(slots_consistent(rig, 0));
	return slots_rig_free(rig);
}

static const char *slots_fullest_first(void)
{
	static const u8 bucket[] = { 3, 0, 1, 2 };
	struct slots_rig *rig = slots_rig_make(8, 4);
	u32 slots, i;

	REQUIRE(rig);
	slots = slots_per_slab(rig);
	REQUIRE_NULL(slots_fill(rig, 0, slots / 8));
	REQUIRE_NULL(slots_fill(rig, 1, slots * 7 / 8));
	REQUIRE_NULL(slots_fill(rig, 2, slots * 5 / 8));
	REQUIRE_NULL(slots_fill(rig, 3, slots * 3 / 8));
	for (i = 0; i < 4; i++)
		REQUIRE(rig->slab[i]->place == bucket[i]);
	REQUIRE(slots_take(&rig->rack, rig->offset, slots / 2 + 1) == slots / 2 + 1);
	REQUIRE(rig->offset[0] == slot_offset(rig, 1, slots * 7 / 8));
	REQUIRE(rig->offset[slots / 8] == slot_offset(rig, 2, slots * 5 / 8));
	REQUIRE(rig->offset[slots / 2] == slot_offset(rig, 3, slots * 3 / 8));
	REQUIRE(slab_where(rig->slab[1]) == SLAB_FULL && slab_where(rig->slab[2]) == SLAB_FULL);
	REQUIRE_NULL(slots_consistent(rig, 2));
	return slots_rig_free(rig);
}

static const char *slots_buckets(void)
{
	struct slots_rig *rig = slots_rig_make(8, 1);
	u32 slots, free;

	REQUIRE(rig);
	slots = slots_per_slab(rig);
	for (free = slots - 1; free; free--) {
		REQUIRE_NULL(slots_fill(rig, 0, 1));
		REQUIRE(slab_free(rig->slab[0]) == free);
		REQUIRE(rig->slab[0]->place == (4 * free - 1) / slots);
		REQUIRE_NULL(slots_consistent(rig, 1));
	}
	REQUIRE_NULL(slots_fill(rig, 0, 1));
	REQUIRE(slab_where(rig->slab[0]) == SLAB_FULL);
	return slots_rig_free(rig);
}

static const char *slots_empty(struct slots_rig *rig, u32 slab, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		REQUIRE_NULL(slots_give(rig, slab, i));
	return NULL;
}

static const char *slots_hold_lower(void)
{
	struct slots_rig *rig = slots_rig_make(8, 2);

	REQUIRE(rig);
	REQUIRE_NULL(slots_fill(rig, 0, 3));
	REQUIRE_NULL(slots_fill(rig, 1, 3));
	REQUIRE_NULL(slots_empty(rig, 1, 3));
	REQUIRE(!slots_settle(&rig->rack, rig->slab[1]));
	REQUIRE(rig->rack.held == rig->slab[1]);
	REQUIRE_NULL(slots_empty(rig, 0, 3));
	REQUIRE(slots_settle(&rig->rack, rig->slab[0]) == rig->slab[1]);
	REQUIRE(rig->rack.held == rig->slab[0] && rig->slab[1]->place == SLAB_APART);
	REQUIRE_NULL(slots_consistent(rig, 1));

	REQUIRE_NULL(slots_fill(rig, 1, 3));
	REQUIRE_NULL(slots_empty(rig, 1, 3));
	REQUIRE(slots_settle(&rig->rack, rig->slab[1]) == rig->slab[1]);
	REQUIRE(slots_release_held(&rig->rack) == rig->slab[0]);
	REQUIRE(!slots_release_held(&rig->rack));
	REQUIRE_NULL(slots_consistent(rig, 0));
	return slots_rig_free(rig);
}

static const char *slots_held_last(void)
{
	struct slots_rig *rig = slots_rig_make(20, 2);
	u32 slots;

	REQUIRE(rig);
	slots = slots_per_slab(rig);
	REQUIRE_NULL(slots_fill(rig, 0, 1));
	REQUIRE_NULL(slots_empty(rig, 0, 1));
	REQUIRE(!slots_settle(&rig->rack, rig->slab[0]));
	REQUIRE_NULL(slots_fill(rig, 1, slots - 1));
	REQUIRE(slots_take(&rig->rack, rig->offset, 2 * slots) == slots + 1);
	REQUIRE(rig->offset[0] == slot_offset(rig, 1, slots - 1));
	REQUIRE(rig->offset[1] == slot_offset(rig, 0, 0));
	REQUIRE(!rig->rack.held);
	return slots_rig_free(rig);
}

static const char *slots_single(void)
{
	struct slots_rig *rig = slots_rig_make(CLASS_COUNT - 1, 1);

	REQUIRE(rig);
	REQUIRE_NULL(slots_fill(rig, 0, slots_per_slab(rig)));
	REQUIRE(!slots_take(&rig->rack, rig->offset, 1));
	REQUIRE_NULL(slots_empty(rig, 0, slots_per_slab(rig)));
	REQUIRE(!slots_settle(&rig->rack, rig->slab[0]));
	REQUIRE(slots_take(&rig->rack, rig->offset, 1) == 1);
	REQUIRE_NULL(slots_consistent(rig, slots_per_slab(rig) > 1));
	return slots_rig_free(rig);
}

static const char *slots_refusals(void)
{
	struct slots_rig *rig;
	u32 class, delta, end;
	u64 index;

	for (class = 1; class < CLASS_COUNT; class++) {
		const struct class_info *info = &class_table[class];

		rig = slots_rig_make(class, 1);
		REQUIRE(rig);
		end = info->slab_pages * PAGE_SIZE;
		REQUIRE_NULL(slots_fill(rig, 0, 1));
		for (delta = 0; delta < end; delta += 8) {
			bool slot = slab_slot(rig->slab[0], slot_offset(rig, 0, 0) + delta, &index);

			REQUIRE(slot == (delta % info->slot_bytes == 0));
			REQUIRE(!slot || index == delta / info->slot_bytes);
			REQUIRE(!slot || slab_slot_taken(rig->slab[0], index) == !delta);
		}
		REQUIRE_NULL(slots_give(rig, 0, 0));
		REQUIRE(!slab_slot_taken(rig->slab[0], 0));
		REQUIRE(slab_free(rig->slab[0]) == info->slots);
		slots_rig_free(rig);
	}
	return NULL;
}

static const char *slots_all_of(struct slots_rig *rig)
{
	u32 i, slots = slots_per_slab(rig);

	REQUIRE_NULL(slots_fill(rig, 0, 1));
	REQUIRE(slots_take(&rig->rack, rig->offset + 1, 2 * slots) == slots - 1);
	for (i = 0; i < slots; i++)
		REQUIRE(rig->offset[i] == slot_offset(rig, 0, i));
	REQUIRE(slab_where(rig->slab[0]) == SLAB_FULL);
	/* 7 is coprime to no slot count that it divides; walk those by ones. */
	for (i = 0; i < slots; i++) {
		u32 index = slots % 7 ? i * 7 % slots : i;

		REQUIRE_NULL(slots_give(rig, 0, index));
		REQUIRE(!slots_settle(&rig->rack, rig->slab[0]));
		if (slots < 100 || i % 64 == 0)
			REQUIRE_NULL(slots_consistent(rig, 1));
	}
	REQUIRE(rig->rack.held == rig->slab[0]);
	return slots_consistent(rig, 1);
}

static const char *slots_every_class(void)
{
	struct slots_rig *rig;
	u32 class;

	for (class = 1; class < CLASS_COUNT; class++) {
		rig = slots_rig_make(class, 1);
		REQUIRE(rig);
		REQUIRE_NULL(slots_all_of(rig));
		slots_rig_free(rig);
	}
	return NULL;
}

/* Where slabs are opened together, they come in that order; else the last one comes first. */
static const char *slots_take_opened(struct slots_rig *rig)
{
	static const u32 together[] = { 1, 2, 3, 0 }, alone[] = { 3, 2, 1, 0 };
	u32 i, slots = slots_per_slab(rig);
	const u32 *order = slots >= 4 ? together : alone;

	REQUIRE(slots_take(&rig->rack, rig->offset, 4) == 4);
	for (i = 0; i < 4; i++)
		REQUIRE(rig->offset[i] == slot_offset(rig, order[i], slots - 1));
	return slots_consistent(rig, 0);
}

/**
 * struct opening - slabs on their way to the first bucket
 * @list: their list, until they are there
 * @opened: how far it has come
 */
struct opening {
	struct hlist_head list;
	struct slots_opened opened;
};

/* Gives a slot of a slab that was full: quickly, but where the slab is in no bucket then. */
static const char *slots_open_one(struct slots_rig *rig, struct opening *o, u32 slab)
{
	bool quick = slots_per_slab(rig) >= 4;

	REQUIRE((rig->slab[slab]->home_count == o->opened.full) == quick);
	if (quick) {
		REQUIRE(slab_mark(rig->slab[slab], class_table[rig->class].reciprocal,
				  slot_offset(rig, slab, slots_per_slab(rig) - 1)));
		slots_open_slab(&o->opened, rig->slab[slab]);
		return NULL;
	}
	REQUIRE_NULL(slots_give(rig, slab, slots_per_slab(rig) - 1));
	slots_open_end(&rig->rack, &o->list, &o->opened);
	slots_settle(&rig->rack, rig->slab[slab]);
	return NULL;
}

static const char *slots_opened_of(struct slots_rig *rig)
{
	u32 i, slots = slots_per_slab(rig), home = SLAB_HOME(rig->class, RIG_GROUP, RIG_SHARD);
	const struct class_info *info = &class_table[rig->class];
	struct opening o;

	for (i = 0; i < 4; i++)
		REQUIRE_NULL(slots_fill(rig, i, slots));
	o.opened = slots_open_begin(&o.list, home, info);
	REQUIRE_NULL(slots_open_one(rig, &o, 0));
	slots_open_end(&rig->rack, &o.list, &o.opened);
	REQUIRE_NULL(slots_consistent(rig, 1));
	if (slots < 2)
		return NULL;
	o.opened = slots_open_begin(&o.list, home, info);
	for (i = 1; i < 4; i++)
		REQUIRE_NULL(slots_open_one(rig, &o, i));
	slots_open_end(&rig->rack, &o.list, &o.opened);
	REQUIRE_NULL(slots_consistent(rig, 4));
	return slots_take_opened(rig);
}

static const char *slots_opened_all(void)
{
	struct slots_rig *rig;
	u32 class;

	for (class = 1; class < CLASS_COUNT; class++) {
		rig = slots_rig_make(class, 4);
		REQUIRE(rig);
		REQUIRE_NULL(slots_opened_of(rig));
		slots_rig_free(rig);
	}
	return NULL;
}

static const char *slots_aged(void)
{
	struct slots_rig *rig = slots_rig_make(8, 1);

	REQUIRE(rig);
	REQUIRE(!slots_age(&rig->rack));
	REQUIRE_NULL(slots_fill(rig, 0, 1));
	REQUIRE_NULL(slots_empty(rig, 0, 1));
	REQUIRE(!slots_settle(&rig->rack, rig->slab[0]));
	REQUIRE(!slots_age(&rig->rack) && rig->rack.held == rig->slab[0]);
	/* Used in between: it is young again. */
	REQUIRE(slots_take(&rig->rack, rig->offset, 1) == 1);
	REQUIRE_NULL(slots_empty(rig, 0, 1));
	REQUIRE(!slots_settle(&rig->rack, rig->slab[0]));
	REQUIRE(!slots_age(&rig->rack) && rig->rack.held == rig->slab[0]);
	REQUIRE(slots_age(&rig->rack) == rig->slab[0] && !rig->rack.held);
	REQUIRE(!slots_age(&rig->rack) && !slots_age(&rig->rack));
	REQUIRE_NULL(slots_consistent(rig, 0));
	return slots_rig_free(rig);
}

/* Pages become dirty as their first slots are taken, even in part. */
static const char *slots_dirtied(u32 class)
{
	struct slots_rig *rig = slots_rig_make(class, 1);
	u32 bytes = class_table[class].slot_bytes, i;

	REQUIRE(rig);
	REQUIRE(slab_idle(rig->slab[0]) == slab_pages_mask(class) && !rig->slab[0]->dirty);
	for (i = 1; i <= slots_per_slab(rig); i++) {
		u32 pages = DIV_ROUND_UP(i * bytes, PAGE_SIZE);

		REQUIRE_NULL(slots_fill(rig, 0, 1));
		REQUIRE(rig->slab[0]->dirty == (1U << pages) - 1);
		REQUIRE(slab_idle(rig->slab[0]) == (slab_pages_mask(class) >> pages << pages));
	}
	for (i = 1; i <= slots_per_slab(rig); i++) {
		REQUIRE_NULL(slots_give(rig, 0, i - 1));
		REQUIRE(rig->slab[0]->dirty == slab_pages_mask(class));
		REQUIRE(slab_idle(rig->slab[0]) ==
			(i == slots_per_slab(rig) ? slab_pages_mask(class) :
			 (1U << (i * bytes / PAGE_SIZE)) - 1));
	}
	return slots_rig_free(rig);
}

static const char *slots_dirty_all(void)
{
	u32 class;

	for (class = 1; class < CLASS_COUNT; class++)
		REQUIRE_NULL(slots_dirtied(class));
	return NULL;
}

/* Pages 1 and 2 hold memory: slots that touch page 0 or 3 come last. */
static const char *slots_prefer(u32 class)
{
	struct slots_rig *rig = slots_rig_make(class, 1);
	const struct class_info *info = &class_table[class];
	u32 i, got, first, last, slots;

	REQUIRE(rig);
	slots = slots_per_slab(rig);
	rig->slab[0]->dirty = 6 & slab_pages_mask(class);
	first = DIV_ROUND_UP(PAGE_SIZE, info->slot_bytes);
	last = min_t(u32, 3, info->slab_pages) * PAGE_SIZE / info->slot_bytes;
	for (got = 0, i = first; i < last; i++, got++) {
		REQUIRE_NULL(slots_fill(rig, 0, 1));
		REQUIRE(rig->offset[0] == slot_offset(rig, 0, i));
		REQUIRE(rig->slab[0]->dirty == (6 & slab_pages_mask(class)));
	}
	/* Then the lowest of the others, in one batch. */
	REQUIRE(slab_take(rig->slab[0], rig->offset, slots) == slots - got);
	for (i = 0; i < slots - got; i++)
		REQUIRE(rig->offset[i] == slot_offset(rig, 0, i < first || !got ? i : i + got));
	REQUIRE(rig->slab[0]->dirty == slab_pages_mask(class));
	return slots_rig_free(rig);
}

static const char *slots_prefer_all(void)
{
	u32 class;

	for (class = 1; class < CLASS_COUNT; class++)
		REQUIRE_NULL(slots_prefer(class));
	return NULL;
}

/* A page with part of a live slot on it is not idle. */
static const char *slots_idle_straddled(void)
{
	struct slots_rig *rig = slots_rig_make(3, 1);	/* 24 bytes, 3 pages */
	u32 i;

	REQUIRE(rig);
	REQUIRE_NULL(slots_fill(rig, 0, slots_per_slab(rig)));
	for (i = 0; i < slots_per_slab(rig); i++)
		if (i != 170)				/* on pages 0 and 1 */
			REQUIRE_NULL(slots_give(rig, 0, i));
	REQUIRE(!slots_settle(&rig->rack, rig->slab[0]));
	REQUIRE(PAGE_SIZE != 4096 || slab_idle(rig->slab[0]) == 4);
	REQUIRE_NULL(slots_consistent(rig, 1));
	return slots_rig_free(rig);
}

static const struct core_case slots_cases[] = {
	{ "a batch of a fresh slab comes in address order", slots_in_order },
	{ "holes are filled from the lowest", slots_lowest_first },
	{ "each quarter of fullness has its bucket", slots_buckets },
	{ "the fullest slab is filled first", slots_fullest_first },
	{ "of two empty slabs the lower is held back", slots_hold_lower },
	{ "the slab held back is used last", slots_held_last },
	{ "a slab of few slots goes from empty to full and back", slots_single },
	{ "interior and free slots are refused, in every class", slots_refusals },
	{ "full slabs that get a slot come first", slots_opened_all },
	{ "the slab held back is let go when it was not needed", slots_aged },
	{ "pages are dirty from their first slot on, idle without a live one", slots_dirty_all },
	{ "slots on pages that hold memory come first, in every class", slots_prefer_all },
	{ "a slot across two pages keeps both from being idle", slots_idle_straddled },
	{ "every slot of every class is given out once and taken back", slots_every_class },
};
