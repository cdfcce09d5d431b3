// SPDX-License-Identifier: GPL-2.0
/*
 * Checked zones: frees that are looked at before anything of them is used again.
 *
 * A thread collects what it frees in a bin of its own (core/magazine.h), from which
 * nothing is allocated. What is in it is freed as a batch, at each slow step of the
 * thread, and when the stock of its cache is taken back. FREE gives batches too. The
 * heap refuses all that is no live object of the client's. But for the bitmaps a
 * slot in a thread's stock is taken as well: so these are looked for first, in the
 * caches of the client alone, since nobody else has slots of its slabs in stock.
 *
 *	named before in the same batch		refused
 *	in the stock of one of its threads	refused
 *	in the stock of the thread that freed	refused: each word has the place
 *	it when it did, and since allocated	where that ended then
 *	all others				the heap judges
 *
 * What is given, offered or tied to another is looked for in the same way.
 *
 * The third is found, as nothing is added to the stock of a thread before what it
 * has freed is free. To others' stock it could have been added, and be gone again.
 *
 * The client's @check is held all the while, and by who adds to the stock of its
 * threads, from the heap on to the last word. So each of its slots that is taken is in
 * a known stock, or somebody's. It is held over what a refill does to get memory,
 * which may be to take stock back: that takes no second one, but tries, and leaves
 * alone who has it, as it does with threads at work. Who ends a client does not take
 * it, as nothing of a dead client is used again before all of it is free.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "client.h"
#include "core/heap.h"
#include "core/heap_owner.h"
#include "shmzone.h"

static_assert(MAGAZINE_PENDING_MAX <= HEAP_BATCH_MAX);
static_assert(HEAP_BATCH_MAX <= BITS_PER_LONG_LONG);

bool client_checks(const struct client *client)
{
	return zone_is(client->zone, SHMZONE_CREATE_CHECKED);
}

static void begin_check(struct client *client)
{
	mutex_lock(&client->check);
	WRITE_ONCE(client->checker, current);
}

/**
 * client_try_check() - get a client's @check, for who may have another client's
 * @client: the client; of any zone
 * @begun: gets whether it is to be ended: it was not the caller's before
 *
 * Return: false: somebody else has it.
 */
bool client_try_check(struct client *client, bool *begun)
{
	*begun = false;
	if (!client_checks(client) || READ_ONCE(client->checker) == current)
		return true;
	*begun = mutex_trylock(&client->check);
	if (*begun)
		WRITE_ONCE(client->checker, current);
	return *begun;
}

void client_end_check(struct client *client)
{
	WRITE_ONCE(client->checker, NULL);
	mutex_unlock(&client->check);
}

/* The place of an offset in the table: with its index, or 0. */
static u8 *place_of(struct frees *frees, u64 offset)
{
	u32 i = hash_64(offset, ilog2(FREES_SLOTS));

	while (frees->index[i] && frees->offset[frees->index[i] - 1] != offset)
		i = (i + 1) % FREES_SLOTS;
	return &frees->index[i];
}

static void fill_table(struct frees *frees)
{
	u32 i;

	memset(frees->index, 0, sizeof(frees->index));
	frees->bad = 0;
	for (i = 0; i < frees->n; i++) {
		u8 *place = place_of(frees, frees->offset[i]);

		if (*place)
			frees->bad |= BIT_ULL(i);
		else
			*place = i + 1;
	}
}

/* Whether word @i of a bin of the thread's was stock when it freed number @which. */
static bool was_stock(const struct frees *frees, const struct magazine *magazine,
		      u32 i, u32 which)
{
	u32 end = frees->cur[which];

	return end < magazine->base + magazine->capacity && end >= magazine->base + i;
}

static void look_in_bin(struct frees *frees, struct cache *cache, u32 bin)
{
	const struct magazine *magazine = &cache->m.magazine[bin];
	u32 i, used = magazine_used(&cache->m, bin);
	bool own = cache == frees->cache;
	u32 n = own ? magazine->capacity : used;

	for (i = 0; i < n; i++) {
		u8 place = *place_of(frees, magazine_word(&cache->m, bin, i));

		if (place && (i < used || was_stock(frees, magazine, i, place - 1)))
			frees->bad |= BIT_ULL(place - 1);
	}
}

static void look_in(struct frees *frees, struct cache *cache)
{
	const struct magazines *m = &cache->m;
	u32 bin;

	lockdep_assert_held(&cache->lock);
	for (bin = CLASS_SPAN + 1; bin < m->bins; bin++)
		if (m->magazine[bin].capacity && !magazine_is_pending(m, bin))
			look_in_bin(frees, cache, bin);
}

static void look_in_others(struct frees *frees)
{
	struct cache *cache;

	lockdep_assert_held(&frees->client->check);
	for (cache = client_first_cache(frees->client); cache; cache = cache->next) {
		/* It changes under @check alone, but for the end of the client. */
		if (cache == frees->cache || !data_race(cache->m.bytes))
			continue;
		mutex_lock(&cache->lock);
		look_in(frees, cache);
		cache_end(cache);
		cond_resched();
	}
}

/**
 * frees_take() - take what waits to be freed out of a cache
 * @frees: gets it
 * @cache: the cache; its lock is held, and its client's @check
 */
void frees_take(struct frees *frees, struct cache *cache)
{
	u32 i;

	frees->client = cache->client;
	frees->cache = cache;
	frees->n = magazine_take(&cache->m, MAGAZINE_PENDING, frees->offset,
				 HEAP_BATCH_MAX);
	for (i = 0; i < frees->n; i++) {
		frees->cur[i] = frees->offset[i] >> MAGAZINE_CUR_SHIFT;
		frees->offset[i] &= MAGAZINE_OFFSET_MASK;
	}
	fill_table(frees);
	if (frees->n)
		look_in(frees, cache);
}

static void frees_of(struct frees *frees, struct client *client,
		     const u64 *offsets, u32 n)
{
	frees->client = client;
	frees->cache = NULL;
	frees->n = n;
	memcpy(frees->offset, offsets, n * sizeof(u64));
	fill_table(frees);
}

/* How many from one on are not to be refused. */
static u32 good_run(const struct frees *frees, u32 i)
{
	u64 bad = frees->bad >> i;

	return bad ? __ffs64(bad) : frees->n - i;
}

/* Frees all but those that are to be refused; otherwise as heap_owned_free(). */
static u32 free_good(struct frees *frees, u64 bytes, u32 *bad, bool *foreign)
{
	struct heap *heap = frees->client->zone->heap;
	u32 i, n, first, freed = 0;
	bool others;

	*bad = frees->n;
	*foreign = false;
	for (i = 0; i < frees->n; i += n) {
		n = good_run(frees, i);
		first = 0;
		others = false;
		if (n) {
			freed += heap_owned_free(heap, frees->client->owner,
						 frees->offset + i, n, bytes,
						 &first, &others);
		} else {
			heap_refuse(heap, HEAP_BAD_NOT_LIVE);
		}
		if (first < n || !n) {
			*foreign = *bad == frees->n ? others : *foreign;
			*bad = min(*bad, i + first);
		}
		n = max(n, 1U);
	}
	return freed;
}

/**
 * frees_end() - free what was taken out of a cache
 * @frees: the batch
 *
 * Takes note of what was refused. The caller sees to the zone's waking.
 *
 * Context: may sleep; the client's @check is held, and no lock of a cache.
 * Return: how many were freed.
 */
u32 frees_end(struct frees *frees)
{
	struct cache *cache = frees->cache;
	u32 bad, freed;
	bool foreign;

	if (!frees->n)
		return 0;
	look_in_others(frees);
	freed = free_good(frees, 0, &bad, &foreign);
	if (freed < frees->n && !cache->error)
		cache->error = foreign ? EPERM : EINVAL;
	cache->refused += frees->n - freed;
	return freed;
}

/**
 * cache_begin_step() - begin a slow step of a thread
 * @cache: its cache
 * @count: gets how many slots were freed
 *
 * In a checked zone what the thread has freed is freed, before anything is added to
 * its stock. The client's @check is held then until cache_end_step().
 *
 * Return: 0, or what cache_begin() says.
 */
int cache_begin_step(struct cache *cache, u32 *count)
{
	struct frees frees core_uncleared;
	int ret;

	*count = 0;
	if (!client_checks(cache->client))
		return 0;
	begin_check(cache->client);
	ret = cache_begin(cache);
	if (ret) {
		client_end_check(cache->client);
		return ret;
	}
	frees_take(&frees, cache);
	cache_end(cache);
	*count = frees_end(&frees);
	if (*count)
		zone_wake(cache->client->zone);
	return 0;
}

void cache_end_step(struct cache *cache)
{
	if (client_checks(cache->client))
		client_end_check(cache->client);
}

/* How many frees of a thread were refused since this was last asked, and why. */
u32 cache_refused(struct cache *cache, u32 *error)
{
	u32 refused;

	begin_check(cache->client);
	refused = cache->refused;
	*error = cache->error;
	cache->refused = 0;
	cache->error = 0;
	client_end_check(cache->client);
	return refused;
}

/**
 * client_free_objects() - heap_owned_free() for a client of a checked zone
 * @client: the client
 * @offsets: what to free
 * @n: how many, 1 to HEAP_BATCH_MAX
 * @bytes: 0, or the size all of them were requested with
 * @bad: gets the index of the first that was refused, or @n
 * @foreign: gets whether that is another's
 *
 * Return: how many were freed.
 */
u32 client_free_objects(struct client *client, const u64 *offsets, u32 n,
			u64 bytes, u32 *bad, bool *foreign)
{
	struct frees frees core_uncleared;
	u32 freed;

	frees_of(&frees, client, offsets, n);
	begin_check(client);
	look_in_others(&frees);
	freed = free_good(&frees, bytes, bad, foreign);
	client_end_check(client);
	return freed;
}

/**
 * client_begin_changes() - begin to change what becomes of objects
 * @client: who asks for that
 * @offsets: the objects
 * @n: how many, 1 to HEAP_BATCH_MAX
 *
 * For changes of owner and the like, which are no more for what lies in a stock
 * than frees are. The client's @check is held until client_end_check().
 *
 * Return: how many of them lie in none, up to the first that does.
 */
u32 client_begin_changes(struct client *client, const u64 *offsets, u32 n)
{
	struct frees frees core_uncleared;

	frees_of(&frees, client, offsets, n);
	/* What is named twice is found by who makes the changes. */
	frees.bad = 0;
	begin_check(client);
	look_in_others(&frees);
	return good_run(&frees, 0);
}
