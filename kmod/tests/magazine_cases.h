/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the magazines: what the kernel makes of a cache, whatever its
 * thread has written there.
 */
#include "cases.h"
#include "../core/magazine.h"

#define RIG_CLASS	9	/* 80 bytes: has 252 slots at most */
#define RIG_ENTRY	0x400

/**
 * struct magazine_rig - a cache, and room for what comes out of it
 * @m: the kernel's side
 * @offsets: room
 */
struct magazine_rig {
	struct magazines m;
	u64 offsets[MAGAZINE_SLOTS_MAX + 2];
};

static struct magazine_rig *magazine_rig_make(void)
{
	struct magazine_rig *rig = core_zalloc(sizeof(*rig));

	if (!rig)
		return NULL;
	rig->m.page[0] = core_zalloc(PAGE_SIZE);
	if (rig->m.page[0])
		magazines_init(&rig->m, RIG_ENTRY, false);
	return rig;
}

static const char *magazine_rig_free(struct magazine_rig *rig)
{
	u32 i;

	for (i = 0; i < MAGAZINE_PAGES; i++)
		core_free(rig->m.page[i]);
	core_free(rig);
	return NULL;
}

static struct cache_bin *shown_bin(struct magazine_rig *rig, u32 bin)
{
	return &magazines_head(&rig->m)->bin[bin];
}

static u64 *shown_word(struct magazine_rig *rig, u32 word)
{
	u32 at = MAGAZINE_HEAD_BYTES + word * sizeof(u64);

	return rig->m.page[at / PAGE_SIZE] + at % PAGE_SIZE;
}

static void magazine_add_pages(struct magazine_rig *rig, u32 bin)
{
	u32 page;

	while ((page = magazine_lacks(&rig->m, bin)))
		rig->m.page[page] = core_zalloc(PAGE_SIZE);
}

/* Lets a bin grow as far as it can; gives its capacity. */
static u32 magazine_grow_all(struct magazine_rig *rig, u32 bin)
{
	for (;;) {
		magazine_add_pages(rig, bin);
		if (!magazine_growth(&rig->m, bin))
			return rig->m.magazine[bin].capacity;
		magazine_grow(&rig->m, bin);
	}
}

/* Numbers from @first on, the first of which is going to be taken first. */
static u32 magazine_put_row(struct magazine_rig *rig, u32 bin, u64 first, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		rig->offsets[i] = first + i;
	return magazine_put(&rig->m, bin, rig->offsets, n);
}

static const char *magazine_fresh(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 class, word = MAGAZINE_FIRST_WORD + 1;
	u64 slots;

	REQUIRE(magazines_head(&rig->m)->key == -RIG_ENTRY);
	REQUIRE(!magazines_busy(&rig->m));
	REQUIRE(*shown_word(rig, MAGAZINE_FIRST_WORD) == MAGAZINE_BOTTOM);
	REQUIRE(rig->m.bins == CLASS_COUNT);
	for (class = 1; class < CLASS_COUNT; class++) {
		struct cache_bin *bin = shown_bin(rig, class);

		REQUIRE(bin->cur == MAGAZINE_FIRST_WORD && bin->end == bin->cur);
		REQUIRE(magazine_make(&rig->m, class, 0) == class);
		REQUIRE(rig->m.magazine[class].base == word + 1);
		word += 1 + rig->m.magazine[class].room;
	}
	REQUIRE(word == rig->m.words && word <= MAGAZINE_WORDS);
	REQUIRE(shown_bin(rig, CLASS_SPAN)->cur == MAGAZINE_FIRST_WORD);
	REQUIRE(shown_bin(rig, CLASS_SPAN)->end == MAGAZINE_FIRST_WORD);
	REQUIRE(!magazines_stock(&rig->m, &slots) && !slots);
	return magazine_rig_free(rig);
}

static const char *magazine_doubles(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 bytes = class_table[RIG_CLASS].slot_bytes;
	static const u32 capacities[] = { 1, 2, 4, 8, 16, 32, 64, 126, 252 };
	u32 bottom = rig->m.magazine[RIG_CLASS].base - 1;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(capacities); i++) {
		magazine_add_pages(rig, RIG_CLASS);
		REQUIRE(magazine_growth(&rig->m, RIG_CLASS) ==
			(capacities[i] - rig->m.magazine[RIG_CLASS].capacity) * bytes);
		magazine_grow(&rig->m, RIG_CLASS);
		REQUIRE(rig->m.magazine[RIG_CLASS].capacity == capacities[i]);
		REQUIRE(rig->m.bytes == capacities[i] * bytes);
		REQUIRE(shown_bin(rig, RIG_CLASS)->end == bottom + capacities[i]);
		REQUIRE(shown_bin(rig, RIG_CLASS)->cur == bottom);
		REQUIRE(*shown_word(rig, bottom) == MAGAZINE_BOTTOM);
	}
	REQUIRE(!magazine_growth(&rig->m, RIG_CLASS));
	REQUIRE(magazine_shut(&rig->m, RIG_CLASS) == 252 * bytes);
	REQUIRE(!rig->m.bytes);
	REQUIRE(shown_bin(rig, RIG_CLASS)->end == MAGAZINE_FIRST_WORD);
	REQUIRE(shown_bin(rig, RIG_CLASS)->cur == MAGAZINE_FIRST_WORD);
	REQUIRE(magazine_growth(&rig->m, RIG_CLASS) == bytes);
	return magazine_rig_free(rig);
}

/* Every class that may grow stays within its room and the cache within its bytes. */
static const char *magazine_ceiling(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 class, next, n;
	u64 bytes = 0;

	for (n = 1; n < CLASS_COUNT; n++) {
		u32 capacity;

		class = CLASS_COUNT - n;
		capacity = magazine_grow_all(rig, class);
		bytes += (u64)capacity * class_table[class].slot_bytes;
		REQUIRE(capacity <= rig->m.magazine[class].room);
		next = rig->m.magazine[class].base + rig->m.magazine[class].room;
		if (class + 1 < CLASS_COUNT)
			REQUIRE(next == rig->m.magazine[class + 1].base - 1);
	}
	REQUIRE(rig->m.bytes == bytes);
	REQUIRE(bytes <= MAGAZINE_STOCK_MAX && bytes > MAGAZINE_STOCK_MAX / 2);
	REQUIRE(rig->m.magazine[CLASS_COUNT - 1].capacity == 4);
	return magazine_rig_free(rig);
}

/* Half of its room is a bin's own, the other half only while there is much left. */
static const char *magazine_last_doubling(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 class, half = 0, all = 0;

	/* Slots of 1 KiB and more: 128 KiB each is half of what a cache may have for four. */
	for (class = 24; class < 36; class++) {
		const struct magazine *magazine = &rig->m.magazine[class];
		u32 capacity = magazine_grow_all(rig, class);

		all += capacity == magazine->room;
		half += capacity == magazine->room / 2;
		REQUIRE(capacity == magazine->room || capacity == magazine->room / 2);
		REQUIRE(!all || !half || capacity == magazine->room / 2 ||
			rig->m.bytes <= MAGAZINE_STOCK_MAX / 2);
	}
	REQUIRE(all >= 4 && half >= 4);
	/* What others give up can be had. */
	for (class = 24; class < 28; class++)
		magazine_shut(&rig->m, class);
	for (; class < 35; class++)
		magazine_shut(&rig->m, class);
	REQUIRE(magazine_grow_all(rig, 35) == rig->m.magazine[35].room);
	return magazine_rig_free(rig);
}

/* What is small as it is can be had whatever others have. */
static const char *magazine_small_rooms(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 class;

	for (class = 24; class < 32; class++)
		magazine_grow_all(rig, class);
	REQUIRE(rig->m.magazine[31].capacity == rig->m.magazine[31].room / 2);
	REQUIRE(magazine_make(&rig->m, 1, 5) == CLASS_COUNT);
	REQUIRE(magazine_grow_all(rig, CLASS_COUNT) == 32);
	REQUIRE(magazine_is_steady(&rig->m, CLASS_COUNT));
	REQUIRE(rig->m.magazine[CLASS_COUNT - 1].room == 4);
	REQUIRE(magazine_grow_all(rig, CLASS_COUNT - 1) == 4);
	return magazine_rig_free(rig);
}

/* A bin asks for the pages that it is going to use: none, once it can not grow. */
static const char *magazine_lacks_to_grow(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 base = rig->m.magazine[1].base, n = 0;
	u32 page = (MAGAZINE_HEAD_BYTES + (base + 251) * sizeof(u64)) / PAGE_SIZE;

	/* Half the room of the first bin is on the first page, where pages are short. */
	while (rig->m.magazine[1].capacity < MAGAZINE_SLOTS_MAX / 2) {
		REQUIRE(!magazine_lacks(&rig->m, 1));
		magazine_grow(&rig->m, 1);
	}
	REQUIRE(magazine_growth(&rig->m, 1) && magazine_lacks(&rig->m, 1) == page);
	while (magazine_growth(&rig->m, 1))
		magazine_grow_all(rig, CLASS_COUNT - ++n);
	REQUIRE(!magazine_lacks(&rig->m, 1));
	REQUIRE(magazine_lacks(&rig->m, 2) == page);
	for (; n; n--)
		magazine_shut(&rig->m, CLASS_COUNT - n);
	REQUIRE(magazine_growth(&rig->m, 1) && magazine_lacks(&rig->m, 1) == page);
	return magazine_rig_free(rig);
}

static const char *magazine_order(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	struct cache_bin *bin = shown_bin(rig, RIG_CLASS);
	u32 bottom = rig->m.magazine[RIG_CLASS].base - 1;
	u64 slots;

	magazine_grow_all(rig, RIG_CLASS);
	/* The thread takes the last word first, which is to be the first given. */
	REQUIRE(magazine_put_row(rig, RIG_CLASS, 100, 3) == 3);
	REQUIRE(bin->cur == bottom + 3);
	REQUIRE(*shown_word(rig, bin->cur) == 100);
	REQUIRE(magazines_stock(&rig->m, &slots) == 3 * class_table[RIG_CLASS].slot_bytes);
	REQUIRE(slots == 3);

	/* The oldest lie lowest. */
	REQUIRE(magazine_take_old(&rig->m, RIG_CLASS, rig->offsets, 2) == 2);
	REQUIRE(rig->offsets[0] == 102 && rig->offsets[1] == 101);
	REQUIRE(bin->cur == bottom + 1 && *shown_word(rig, bottom + 1) == 100);

	REQUIRE(magazine_put_row(rig, RIG_CLASS, 200, 2) == 2);
	REQUIRE(magazine_take(&rig->m, RIG_CLASS, rig->offsets, 2) == 2);
	REQUIRE(rig->offsets[0] == 200 && rig->offsets[1] == 201);
	REQUIRE(magazine_take(&rig->m, RIG_CLASS, rig->offsets, 9) == 1);
	REQUIRE(rig->offsets[0] == 100);
	REQUIRE(!magazine_take(&rig->m, RIG_CLASS, rig->offsets, 9));
	REQUIRE(!magazine_take_old(&rig->m, RIG_CLASS, rig->offsets, 9));
	return magazine_rig_free(rig);
}

static const char *magazine_full(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 i, capacity = magazine_grow_all(rig, RIG_CLASS);

	REQUIRE(capacity == MAGAZINE_SLOTS_MAX);
	REQUIRE(magazine_put_row(rig, RIG_CLASS, 0, capacity + 2) == capacity);
	REQUIRE(!magazine_put_row(rig, RIG_CLASS, 1000, 1));
	REQUIRE(magazine_used(&rig->m, RIG_CLASS) == capacity);
	REQUIRE(magazine_take_old(&rig->m, RIG_CLASS, rig->offsets, capacity / 2) ==
		capacity / 2);
	for (i = 0; i < capacity / 2; i++)
		REQUIRE(rig->offsets[i] == capacity - 1 - i);
	REQUIRE(magazine_used(&rig->m, RIG_CLASS) == capacity - capacity / 2);
	REQUIRE(magazine_take(&rig->m, RIG_CLASS, rig->offsets, capacity) ==
		capacity - capacity / 2);
	for (i = 0; i < capacity - capacity / 2; i++)
		REQUIRE(rig->offsets[i] == i);
	return magazine_rig_free(rig);
}

/* Half of it, and more if it goes on like that. */
static const char *magazine_portions(void)
{
	struct magazine_rig *rig = magazine_rig_make();

	REQUIRE(!magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_IN));
	REQUIRE(!magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_OUT));
	magazine_add_pages(rig, RIG_CLASS);
	magazine_grow(&rig->m, RIG_CLASS);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_IN) == 1);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_IN) == 1);
	REQUIRE(magazine_grow_all(rig, RIG_CLASS) == MAGAZINE_SLOTS_MAX);

	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_OUT) == 126);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_OUT) == 221);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_OUT) == 221);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_IN) == 126);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_IN) == MAGAZINE_IN_MAX);
	/* Each bin has a way of its own, which it forgets with its capacity. */
	REQUIRE(magazine_grow_all(rig, RIG_CLASS + 1) == MAGAZINE_SLOTS_MAX);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS + 1, MAGAZINE_IN) == 126);
	magazine_shut(&rig->m, RIG_CLASS);
	REQUIRE(magazine_grow_all(rig, RIG_CLASS) == MAGAZINE_SLOTS_MAX);
	REQUIRE(magazine_portion(&rig->m, RIG_CLASS, MAGAZINE_IN) == 126);
	return magazine_rig_free(rig);
}

/* Without capacity nothing goes in, and nothing can be in. */
static const char *magazine_shut_bin(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	struct cache_bin *bin = shown_bin(rig, RIG_CLASS);

	REQUIRE(!magazine_put_row(rig, RIG_CLASS, 1, 4));
	magazine_grow_all(rig, RIG_CLASS);
	REQUIRE(magazine_put_row(rig, RIG_CLASS, 1, 4) == 4);
	magazine_shut(&rig->m, RIG_CLASS);
	REQUIRE(!magazine_used(&rig->m, RIG_CLASS) && !rig->m.wrong);
	bin->cur = rig->m.magazine[RIG_CLASS].base + 3;	/* as it was */
	bin->end = rig->m.magazine[RIG_CLASS].base + 251;
	REQUIRE(!magazine_used(&rig->m, RIG_CLASS) && rig->m.wrong == 1);
	REQUIRE(!magazine_put_row(rig, RIG_CLASS, 1, 4));
	return magazine_rig_free(rig);
}

/* A wrong bin is empty, is counted once, and works again. */
static const char *magazine_wrong_cur(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	struct cache_bin *bin = shown_bin(rig, RIG_CLASS);
	u32 capacity = magazine_grow_all(rig, RIG_CLASS);
	u32 bottom = rig->m.magazine[RIG_CLASS].base - 1, i;
	const u32 wrong[] = {
		0, 1, bottom - 1, bottom + capacity + 1, MAGAZINE_FIRST_WORD, MAGAZINE_WORDS,
		MAGAZINE_WORDS + bottom, 0x7fffffff, 0x80000000, 0x80000000 + bottom, U32_MAX,
	};
	u64 slots;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		REQUIRE(magazine_put_row(rig, RIG_CLASS, 1, 8) == 8);
		bin->cur = wrong[i];
		REQUIRE(!magazine_take(&rig->m, RIG_CLASS, rig->offsets, 8));
		REQUIRE(rig->m.wrong == i + 1);
		REQUIRE(!magazines_stock(&rig->m, &slots) && !slots);
		REQUIRE(rig->m.wrong == i + 1 && bin->cur == bottom);
	}
	bin->cur = bottom + capacity;	/* the last that is right */
	REQUIRE(magazine_used(&rig->m, RIG_CLASS) == capacity && rig->m.wrong == i);
	return magazine_rig_free(rig);
}

/* End, the table of bins and the rest of the head are never believed. */
static const char *magazine_wrong_head(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	struct cache_bin *bin = shown_bin(rig, RIG_CLASS);
	u32 bottom = rig->m.magazine[RIG_CLASS].base - 1, cur;

	magazine_grow_all(rig, RIG_CLASS);
	REQUIRE(magazine_put_row(rig, RIG_CLASS, 1, 5) == 5);
	cur = bin->cur;
	memset(magazines_head(&rig->m), 0x7f, sizeof(struct cache_head));
	bin->cur = cur;
	REQUIRE(magazines_busy(&rig->m));
	REQUIRE(magazine_make(&rig->m, RIG_CLASS, 0) == RIG_CLASS);
	REQUIRE(magazine_make(&rig->m, RIG_CLASS, 7) == CLASS_COUNT);
	REQUIRE(magazine_used(&rig->m, RIG_CLASS) == 5);
	REQUIRE(magazine_put_row(rig, RIG_CLASS, 10, 1) == 1);
	REQUIRE(bin->cur == bottom + 6 && bin->end == bottom + 252);
	REQUIRE(magazine_take(&rig->m, RIG_CLASS, rig->offsets, 1) == 1);
	REQUIRE(rig->offsets[0] == 10 && !rig->m.wrong);
	return magazine_rig_free(rig);
}

static const char *magazine_key(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	struct cache_head *head = magazines_head(&rig->m);

	REQUIRE(head->key + RIG_ENTRY + RIG_CLASS == RIG_CLASS);
	head->key = 1;
	REQUIRE(magazines_busy(&rig->m));
	head->key = 0x7fffffff;
	REQUIRE(magazines_busy(&rig->m));
	magazines_show_key(&rig->m);
	REQUIRE(head->key == 0x7fffffff);
	head->key = 0x80000000;
	REQUIRE(!magazines_busy(&rig->m));
	head->key = 0;
	REQUIRE(!magazines_busy(&rig->m));
	magazines_show_key(&rig->m);
	REQUIRE(head->key == -RIG_ENTRY);
	return magazine_rig_free(rig);
}

/* Whatever a word is, it comes out as it is. */
static const char *magazine_wrong_words(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	struct cache_bin *bin = shown_bin(rig, RIG_CLASS);
	u32 base = rig->m.magazine[RIG_CLASS].base;

	magazine_grow_all(rig, RIG_CLASS);
	*shown_word(rig, base) = U64_MAX;
	*shown_word(rig, base + 1) = 0;
	bin->cur = base + 1;
	REQUIRE(magazine_take_old(&rig->m, RIG_CLASS, rig->offsets, 64) == 2);
	REQUIRE(rig->offsets[0] == U64_MAX && !rig->offsets[1]);
	return magazine_rig_free(rig);
}

static const char *magazine_other_groups(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 group, bin, made = 0, class = 1, last = 0;

	REQUIRE(magazine_make(&rig->m, 3, 5) == CLASS_COUNT);
	REQUIRE(magazine_make(&rig->m, 5, 3) == CLASS_COUNT + 1);
	REQUIRE(magazine_make(&rig->m, 3, 5) == CLASS_COUNT);
	REQUIRE(magazines_head(&rig->m)->bin_of[5 - 1][3] == CLASS_COUNT);
	REQUIRE(magazine_grow_all(rig, CLASS_COUNT) == 32);
	for (group = 1; group < CLASS_GROUPS; group++)
		for (class = 1; class < CLASS_COUNT; class++) {
			bin = magazine_make(&rig->m, class, group);
			made += !!bin;
			REQUIRE(bin < MAGAZINE_BINS);
			REQUIRE(magazine_make(&rig->m, class, group) == bin);
			if (!bin)
				continue;
			last = max(last, bin);
			REQUIRE(rig->m.magazine[bin].class == class);
			REQUIRE(rig->m.magazine[bin].group == group);
		}
	REQUIRE(rig->m.bins == last + 1 && made == last + 1 - CLASS_COUNT);
	REQUIRE(last == MAGAZINE_BINS - 1);
	REQUIRE(rig->m.words <= MAGAZINE_WORDS);
	return magazine_rig_free(rig);
}

/* No two bins have a word in common, nor the head with any, and none lies beyond. */
static const char *magazine_apart(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 a, b;

	for (a = 1; a < CLASS_COUNT; a++)
		magazine_make(&rig->m, a, 1 + a % 15);
	for (a = 1; a < rig->m.bins; a++) {
		struct magazine *one = &rig->m.magazine[a];

		REQUIRE(one->base - 1 > MAGAZINE_FIRST_WORD);
		REQUIRE(one->base + one->room <= MAGAZINE_WORDS);
		for (b = 1; b < a; b++) {
			struct magazine *other = &rig->m.magazine[b];

			REQUIRE(one->base - 1 >= other->base + other->room ||
				other->base - 1 >= one->base + one->room);
		}
	}
	return magazine_rig_free(rig);
}

/* A bin that lies on two pages, with some words on either, where pages are short. */
static u32 bin_on_two_pages(struct magazine_rig *rig)
{
	u32 class, first, last;

	for (class = 1; class < CLASS_COUNT; class++) {
		first = MAGAZINE_HEAD_BYTES / sizeof(u64) + rig->m.magazine[class].base + 20;
		last = first + rig->m.magazine[class].room - 40;
		if (rig->m.magazine[class].room == MAGAZINE_SLOTS_MAX &&
		    first * sizeof(u64) / PAGE_SIZE != last * sizeof(u64) / PAGE_SIZE)
			return class;
	}
	return MAGAZINE_PAGES > 4 ? 0 : RIG_CLASS;
}

/* Compares with an array, while a hostile thread changes what it can. */
static const char *magazine_random(void)
{
	struct magazine_rig *rig = magazine_rig_make();
	u32 class = bin_on_two_pages(rig);
	struct cache_bin *bin = shown_bin(rig, class);
	u64 *model = core_zalloc(MAGAZINE_SLOTS_MAX * sizeof(u64));
	u64 seed = 4711, next = 1, wrong = 0;
	u32 i, n, got, used = 0, round;
	u32 capacity = magazine_grow_all(rig, class);

	REQUIRE(class);
	for (round = 0; round < 20000; round++) {
		n = 1 + case_random(&seed) % 70;
		switch (case_random(&seed) % 5) {
		case 0:
			got = magazine_put_row(rig, class, next, n);
			REQUIRE(got == min(n, capacity - used));
			for (i = 0; i < got; i++)
				model[used + i] = next + got - 1 - i;
			used += got;
			next += n;
			break;
		case 1:
			got = magazine_take(&rig->m, class, rig->offsets, n);
			REQUIRE(got == min(n, used));
			for (i = 0; i < got; i++)
				REQUIRE(rig->offsets[i] == model[--used]);
			break;
		case 2:
			got = magazine_take_old(&rig->m, class, rig->offsets, n);
			REQUIRE(got == min(n, used));
			for (i = 0; i < got; i++)
				REQUIRE(rig->offsets[i] == model[i]);
			used -= got;
			for (i = 0; i < used; i++)
				model[i] = model[i + got];
			break;
		case 3:
			magazines_head(&rig->m)->key = case_random(&seed);
			bin->end = case_random(&seed);
			break;
		default:
			if (round % 16)
				break;
			bin->cur = rig->m.magazine[class].base + capacity + n;
			REQUIRE(!magazine_used(&rig->m, class));
			wrong++;
			used = 0;
		}
		REQUIRE(rig->m.wrong == wrong);
		REQUIRE(magazine_used(&rig->m, class) == used);
	}
	core_free(model);
	return magazine_rig_free(rig);
}

/* The bin in which checked zones collect what is freed. */
static const char *magazine_pending(void)
{
	struct magazine_rig *rig = core_zalloc(sizeof(*rig));
	u64 slots;
	u32 bin;

	rig->m.page[0] = core_zalloc(PAGE_SIZE);
	magazines_init(&rig->m, RIG_ENTRY, true);
	REQUIRE(magazines_head(&rig->m)->key == -RIG_ENTRY - MAGAZINE_CHECKED_KEY);
	REQUIRE(!magazines_busy(&rig->m));
	REQUIRE(rig->m.bins == CLASS_COUNT + 1);
	REQUIRE(magazine_make(&rig->m, 1, MAGAZINE_PENDING_GROUP) == MAGAZINE_PENDING);
	REQUIRE(magazine_make(&rig->m, 1, 1) == MAGAZINE_PENDING + 1);
	REQUIRE(magazine_grow_all(rig, MAGAZINE_PENDING) == MAGAZINE_PENDING_MAX);
	REQUIRE(rig->m.bytes == MAGAZINE_PENDING_MAX * MAGAZINE_PENDING_BYTES);
	for (bin = 1; bin < rig->m.bins; bin++)
		REQUIRE(magazine_is_pending(&rig->m, bin) == (bin == MAGAZINE_PENDING));
	/* A word has two parts. */
	REQUIRE(magazine_put_row(rig, MAGAZINE_PENDING, ~0ULL, 1) == 1);
	REQUIRE(magazine_word(&rig->m, MAGAZINE_PENDING, 0) == MAGAZINE_OFFSET_MASK);
	REQUIRE(!magazines_stock(&rig->m, &slots) && slots == 1);
	REQUIRE(magazine_take(&rig->m, MAGAZINE_PENDING, rig->offsets, 2) == 1);
	REQUIRE(!~rig->offsets[0]);
	return magazine_rig_free(rig);
}

static const struct core_case magazine_cases[] = {
	{ "a fresh cache is empty and full", magazine_fresh },
	{ "a capacity doubles up to the room, and begins anew", magazine_doubles },
	{ "all bins grown stay within room and bytes", magazine_ceiling },
	{ "the last doubling leaves enough for others", magazine_last_doubling },
	{ "small rooms are not halved", magazine_small_rooms },
	{ "no page is asked for by a bin that can not grow", magazine_lacks_to_grow },
	{ "last in first out, and the oldest lie lowest", magazine_order },
	{ "a full bin takes no more, and gives its older half", magazine_full },
	{ "half of a bin is moved, and more of it twice in a row", magazine_portions },
	{ "a shut bin has nothing in it", magazine_shut_bin },
	{ "cur outside of its bin: empty, counted once", magazine_wrong_cur },
	{ "end and the rest of the head are not believed", magazine_wrong_head },
	{ "the key says who is at work, and is shown again", magazine_key },
	{ "any word comes out as it is", magazine_wrong_words },
	{ "bins of other groups are made while there is room", magazine_other_groups },
	{ "bins have no words in common", magazine_apart },
	{ "in checked zones there is a bin for what is freed", magazine_pending },
	{ "against an array, with a hostile thread", magazine_random },
};
