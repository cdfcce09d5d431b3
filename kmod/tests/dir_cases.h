/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the directory: scripts of steps.
 */
#include "cases.h"
#include "../core/dir.h"

enum dir_op {
	DIR_END,
	DIR_SET,	/* @n pages from @page get @entry, with all the nodes it needs */
	DIR_GET,	/* @n pages from @page have @entry */
	DIR_NEXT,	/* the first entry from @page on is @entry, at page @n */
	DIR_NODES,	/* there are @n nodes */
	DIR_REAP,	/* empty nodes are taken out; @n are left */
};

struct dir_step {
	enum dir_op op;
	u64 page;
	u64 n;
	u64 entry;
};

struct dir_script {
	u64 pages;
	struct dir_step step[CASE_STEPS];
};

static u64 dir_rig_empty(struct dir_reserve *reserve)
{
	u64 count = 0;
	void *node;

	for (; (node = dir_next_node(reserve)); count++)
		core_free(node);
	return count;
}

static void dir_rig_reap(struct dir *dir, u64 *nodes)
{
	struct dir_reserve reserve = {};
	u64 page = 0;

	while (dir_reap(dir, &page, &reserve))
		;
	*nodes -= dir_rig_empty(&reserve);
}

static const char *dir_play_step(struct dir *dir, const struct dir_step *step, u64 *nodes)
{
	struct dir_reserve reserve = {};
	u64 i, page = step->page;
	u32 want;

	switch (step->op) {
	case DIR_SET:
		want = step->entry ? dir_wants(dir, step->page, step->n) : 0;
		for (i = 0; i < want; i++)
			dir_add_node(&reserve, core_zalloc(dir_node_bytes()));
		dir_set(dir, step->page, step->n, step->entry, &reserve);
		*nodes += want;
		*nodes -= dir_rig_empty(&reserve);
		break;
	case DIR_GET:
		for (i = 0; i < step->n; i++)
			REQUIRE(dir_get(dir, step->page + i) == step->entry);
		break;
	case DIR_NEXT:
		REQUIRE(dir_next(dir, &page) == step->entry);
		REQUIRE(!step->entry || page == step->n);
		break;
	case DIR_REAP:
		dir_rig_reap(dir, nodes);
		fallthrough;
	default:
		REQUIRE(*nodes == step->n);
	}
	return dir_check(dir);
}

static const char *dir_play(const void *data)
{
	const struct dir_script *script = data;
	const struct dir_step *step;
	struct dir_reserve reserve = {};
	struct dir dir = {};
	u64 nodes = 0;

	for (step = script->step; step->op != DIR_END; step++)
		REQUIRE_NULL(dir_play_step(&dir, step, &nodes));
	dir_destroy(&dir, &reserve);
	REQUIRE(dir_rig_empty(&reserve) == nodes);
	return NULL;
}

static const char *dir_entries(void)
{
	u64 entry = dir_span_entry((1ULL << 32) - 1, 15, 0xffff);
	struct slab *slab = (struct slab *)&entry;

	REQUIRE(dir_is_span(entry));
	REQUIRE(dir_span_pages(entry) == (1ULL << 32) - 1);
	REQUIRE(dir_span_group(entry) == 15);
	REQUIRE(dir_span_who(entry) == 0xffff);
	REQUIRE(dir_span_who(dir_span_entry((1ULL << 32) - 1, 15, 0)) == 0);
	REQUIRE(!dir_slab(entry));
	REQUIRE(!dir_slab(DIR_BUSY) && !dir_is_span(DIR_BUSY));
	REQUIRE(!dir_slab(0) && !dir_is_span(0));
	REQUIRE(dir_slab(dir_slab_entry(slab)) == slab);
	REQUIRE(!dir_is_span(dir_slab_entry(slab)));
	return NULL;
}

/* What is in a reserve leads readers nowhere that still look at it. */
static const char *dir_reserve_words(void)
{
	struct dir_node *node[3];
	struct dir_reserve reserve = {};
	u32 i, j, height;

	for (i = 0; i < ARRAY_SIZE(node); i++) {
		node[i] = core_zalloc(dir_node_bytes());
		REQUIRE(node[i]);
		dir_add_node(&reserve, node[i]);
	}
	for (i = 0; i < ARRAY_SIZE(node); i++)
		for (j = 0; j < DIR_NODE_WORDS; j++)
			REQUIRE(!dir_slot_node(node[i]->word[j]) && !dir_slab(node[i]->word[j]) &&
				!dir_is_span(node[i]->word[j]));
	for (i = 0; i < ARRAY_SIZE(node); i++)
		for (height = 1; height <= 3; height++)
			for (j = 0; j < DIR_NODE_WORDS; j++)
				REQUIRE(dir_where(node[i], height,
						  (u64)j << DIR_NODE_SHIFT * height) ==
					&dir_nothing.word[0]);
	for (; i; i--)
		REQUIRE(dir_next_node(&reserve) == node[i - 1]);
	REQUIRE(!dir_next_node(&reserve) && !reserve.count);
	for (i = 0; i < ARRAY_SIZE(node); i++)
		core_free(node[i]);
	return NULL;
}

#define SET(page, n, entry)	{ DIR_SET, page, n, entry }
#define GET(page, n, entry)	{ DIR_GET, page, n, entry }
#define NEXT(page, at, entry)	{ DIR_NEXT, page, at, entry }
#define LEVELS(n)		{ DIR_NODES, 0, n, 0 }
#define REAP(n)			{ DIR_REAP, 0, n, 0 }

#define DIR_SCRIPT(title, pages, ...)	\
	{ title, NULL, &(const struct dir_script){ pages, { __VA_ARGS__ } } }

static const struct core_case dir_cases[] = {
	{ "entries say what they were made of", dir_entries },
	{ "nodes in a reserve lead nowhere", dir_reserve_words },
	DIR_SCRIPT("an empty directory of any size has no node", 1ULL << 32,
		   GET(0, 4, 0), GET((1ULL << 32) - 1, 1, 0), NEXT(0, 0, 0), LEVELS(0)),
	DIR_SCRIPT("a small heap needs a leaf alone", 512,
		   SET(511, 1, 77), LEVELS(1), GET(511, 1, 77), GET(510, 1, 0),
		   NEXT(0, 511, 77), SET(511, 1, 0), LEVELS(1), REAP(0)),
	DIR_SCRIPT("a heap one page larger needs two levels", 513,
		   SET(512, 1, 77), LEVELS(2), NEXT(0, 512, 77), SET(0, 1, 78), LEVELS(3)),
	DIR_SCRIPT("the last page of the largest heap", 1ULL << 32,
		   SET((1ULL << 32) - 1, 1, 77), LEVELS(4), GET((1ULL << 32) - 1, 1, 77),
		   NEXT(0, (1ULL << 32) - 1, 77), SET((1ULL << 32) - 1, 1, 0), REAP(0)),
	DIR_SCRIPT("a slab across two leaves", 1 << 20,
		   SET(508, 8, 77), GET(508, 8, 77), GET(507, 1, 0), GET(516, 1, 0), LEVELS(3),
		   SET(508, 8, 81), LEVELS(3), SET(508, 8, 0), REAP(0)),
	DIR_SCRIPT("a slab across the largest boundary there is", 1ULL << 32,
		   SET((1ULL << 27) - 1, 2, 77), GET((1ULL << 27) - 1, 2, 77), LEVELS(7),
		   NEXT(1ULL << 27, 1ULL << 27, 77), SET((1ULL << 27) - 1, 2, 0), REAP(0)),
	DIR_SCRIPT("nodes stay when they become empty, until they are reaped", 1 << 20,
		   SET(7, 1, 77), SET(600, 1, 77), SET(601, 1, 78), LEVELS(3), REAP(3),
		   SET(7, 1, 0), LEVELS(3), REAP(2), SET(600, 1, 0), REAP(2), NEXT(0, 601, 78),
		   SET(601, 1, 0), LEVELS(2), SET(601, 1, 79), LEVELS(2), REAP(2),
		   SET(601, 1, 0), REAP(0), GET(601, 1, 0), SET(601, 1, 77), LEVELS(2)),
	DIR_SCRIPT("levels are put on top as higher pages have entries", 1ULL << 32,
		   SET(3, 1, 77), LEVELS(1), GET(512, 1, 0), GET((1ULL << 32) - 1, 1, 0),
		   SET(1 << 18, 1, 78), LEVELS(5), GET(3, 1, 77), GET(1 << 18, 1, 78),
		   SET((1ULL << 32) - 1, 1, 79), LEVELS(9), GET(3, 1, 77), GET(1 << 18, 1, 78),
		   GET((1ULL << 32) - 1, 1, 79), NEXT(4, 1 << 18, 78)),
	DIR_SCRIPT("empty leaves far apart", 1ULL << 32,
		   SET(1, 1, 77), SET(1 << 20, 1, 77), SET(1 << 30, 1, 77),
		   SET((1ULL << 32) - 1, 1, 77), LEVELS(12), GET(1, 1, 77),
		   SET(1, 1, 0), REAP(10),
		   SET((1ULL << 32) - 1, 1, 0), SET(1 << 30, 1, 0), REAP(4),
		   GET(1 << 20, 1, 77), SET(1 << 20, 1, 0), REAP(0)),
	DIR_SCRIPT("replacing an entry needs no node", 1 << 20,
		   SET(7, 4, DIR_BUSY), LEVELS(1), SET(7, 4, 77), LEVELS(1), GET(7, 4, 77)),
};
