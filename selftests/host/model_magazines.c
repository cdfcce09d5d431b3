// SPDX-License-Identifier: GPL-2.0
/*
 * A naive model of the heap, see model.h: what is in a cache.
 *
 * The image of a cache is what its memory has to be, as one array. All that the kernel
 * does to the memory is done to the image too, in a simpler way, and what a thread
 * writes is written to both.
 */
#include "model_caches.h"

#define HEAD_WORDS	(MAGAZINE_HEAD_BYTES / sizeof(u64))
#define PAGE_WORDS	(PAGE_SIZE / sizeof(u64))

static_assert(MAGAZINE_CACHE_BYTES % PAGE_SIZE == 0);

/* The memory. */

struct cache_head *image_head(struct model_cache *cache)
{
	return (struct cache_head *)(cache->image + HEAD_WORDS);
}

u64 *image_word(struct model_cache *cache, u32 word)
{
	return &cache->image[HEAD_WORDS + word];
}

/* The place that the image has for @place, where thread and kernel see it; or NULL. */
void *shared(struct model_cache *cache, const void *place)
{
	u64 at = (const char *)place - (const char *)cache->image;
	char *page = cache->m.page[at / PAGE_SIZE];

	return page ? page + at % PAGE_SIZE : NULL;
}

/* The thread writes. */
void poke(struct model_cache *cache, void *place, u64 value, size_t bytes)
{
	void *there = shared(cache, place);

	if (!there)
		return;
	memcpy(place, &value, bytes);
	memcpy(there, &value, bytes);
}

/* What is foreseen. */

bool is_pending(const struct model_bin *bin)
{
	return bin->group == MAGAZINE_PENDING_GROUP;
}

u32 bottom_of(const struct model_bin *bin)
{
	return bin->capacity ? bin->first - 1 : MAGAZINE_FIRST_WORD;
}

u64 capacity_bytes(const struct model_bin *bin)
{
	return (u64)bin->capacity * class_table[bin->class].slot_bytes;
}

static u64 all_capacity_bytes(const struct model_cache *cache)
{
	u64 bytes = 0;
	u32 i;

	for (i = 1; i < cache->bins; i++)
		bytes += capacity_bytes(&cache->bin[i]);
	return bytes;
}

void foresee_shown(struct model_cache *cache, u32 i, u32 used)
{
	u32 bottom = bottom_of(&cache->bin[i]);

	*image_word(cache, bottom) = ~0ULL;
	image_head(cache)->bin[i].cur = bottom + used;
	image_head(cache)->bin[i].end = bottom + cache->bin[i].capacity;
}

/* Whether the thread's count of what is in a bin can be right. */
bool is_right(struct model_cache *cache, u32 i)
{
	u32 cur = image_head(cache)->bin[i].cur, bottom = bottom_of(&cache->bin[i]);

	return cur >= bottom && cur <= bottom + cache->bin[i].capacity;
}

/* What is in a bin when the kernel looks. */
u32 foresee_used(struct model_cache *cache, u32 i)
{
	if (!is_right(cache, i)) {
		cache->wrong++;
		foresee_shown(cache, i, 0);
	}
	return image_head(cache)->bin[i].cur - bottom_of(&cache->bin[i]);
}

/* 128 KiB of slots, an even number, and in other groups less. */
static u32 room_of(u32 class, u32 group)
{
	u32 slots = 131072 / class_table[class].slot_bytes;

	if (group == MAGAZINE_PENDING_GROUP)
		return 64;
	slots = max(slots - slots % 2, 4U);
	return min(slots, group ? 32U : 252U);
}

u32 foresee_bin(struct model_cache *cache, u32 class, u32 group)
{
	u32 i = cache->bins, room = room_of(class, group);

	if (i == MAGAZINE_BINS || cache->words + room + 1 > MAGAZINE_WORDS)
		return 0;
	cache->bin[i] = (struct model_bin){
		.class = class,
		.group = group,
		.first = cache->words + 1,
		.room = room,
	};
	cache->words += room + 1;
	cache->bins++;
	foresee_shown(cache, i, 0);
	return i;
}

u32 find_bin(const struct model_cache *cache, u32 class, u32 group)
{
	u32 i;

	for (i = 1; i < cache->bins; i++)
		if (cache->bin[i].group == group &&
		    (cache->bin[i].class == class || is_pending(&cache->bin[i])))
			return i;
	return 0;
}

u32 foresee_make(struct model_cache *cache, u32 class, u32 group)
{
	u32 i = find_bin(cache, class, group);

	if (i)
		return i;
	i = foresee_bin(cache, class, group);
	if (i)
		image_head(cache)->bin_of[group - 1][class] = i;
	return i;
}

/* In group 0 it is half of its room, or 4. */
static u32 steady(const struct model_bin *bin)
{
	return bin->group ? bin->room : max(bin->room / 2, 4);
}

u32 next_capacity(const struct model_bin *bin)
{
	if (bin->capacity < steady(bin))
		return bin->capacity ? min(2 * bin->capacity, steady(bin)) : 1;
	return bin->room;
}

u64 foresee_growth(const struct model_cache *cache, u32 i)
{
	const struct model_bin *bin = &cache->bin[i];
	u64 bytes = (next_capacity(bin) - bin->capacity) * class_table[bin->class].slot_bytes;
	bool beyond = next_capacity(bin) > steady(bin);
	u64 most = beyond ? 524288 : 1048576;

	return all_capacity_bytes(cache) + bytes <= most ? bytes : 0;
}

/* The first page that is missing below the words of a bin, as it will be, or 0. */
u32 foresee_lacks(struct model_cache *cache, u32 i)
{
	const struct model_bin *bin = &cache->bin[i];
	u32 capacity = foresee_growth(cache, i) ? next_capacity(bin) : bin->capacity;
	u32 word;

	for (word = bin->first - 1; capacity && word < bin->first + capacity; word++)
		if (!shared(cache, image_word(cache, word)))
			return (HEAD_WORDS + word) / PAGE_WORDS;
	return 0;
}

/* Comparing. */

static const char *check_bins(const struct model_cache *cache)
{
	u32 i;

	for (i = 1; i < cache->bins; i++) {
		const struct magazine *magazine = &cache->m.magazine[i];
		const struct model_bin *bin = &cache->bin[i];

		REQUIRE(magazine->class == bin->class && magazine->group == bin->group);
		REQUIRE(magazine->base == bin->first && magazine->room == bin->room);
		REQUIRE(magazine->capacity == bin->capacity);
		REQUIRE(magazine_is_pending(&cache->m, i) == is_pending(bin));
	}
	return NULL;
}

const char *check_cache(struct model_cache *cache)
{
	const struct magazines *m = &cache->m;
	u32 i;

	REQUIRE(m->bins == cache->bins && m->words == cache->words);
	REQUIRE(m->bytes == all_capacity_bytes(cache) && m->bytes <= MAGAZINE_STOCK_MAX);
	REQUIRE(m->wrong == cache->wrong);
	REQUIRE(magazines_busy(m) == (image_head(cache)->key - 1 < 0x7fffffff));
	for (i = 0; i < MAGAZINE_PAGES; i++)
		REQUIRE(!m->page[i] ||
			!memcmp(m->page[i], cache->image + i * PAGE_WORDS, PAGE_SIZE));
	return check_bins(cache);
}
