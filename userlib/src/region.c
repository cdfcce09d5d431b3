// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Slots and regions: where the caches of open zones are.
 *
 * A zone with caches has a *slot* in this process, shared by all handles of it,
 * as a process can map the caches of a zone only once. A slot has a *region*,
 * the address range in which the caches of its zone are mapped. When the last
 * handle is closed the range is kept, inaccessible, and the next zone that gets
 * the slot has its caches mapped there: cache.h tells why it must not move.
 *
 * A slot whose region was lost, as the kernel refused to map something there and
 * may have unmapped what was there before, is not used again. Nor is any slot
 * after the library's end, which gives back the ranges without a zone: for programs
 * that load and unload it again and again. (What still has a zone may be in use,
 * as at the end of a process other threads go on for a while.)
 *
 * The lock is for opening and closing alone; it is free in the child of a fork.
 * A fork while another thread is in here costs the child a slot at worst.
 */
#include <string.h>
#include <sys/mman.h>

#include "cache.h"

#define REGION_BYTES	((size_t)SHMZONE_CACHES_MAX * SHMZONE_CACHE_BYTES)

/*
 * How far a region is from what was mapped before it, which is the page map. AMD's
 * processors look for a line in their first cache by a hash of 28 bits of its
 * address. A region has 2^29 bytes, so that without a gap the first caches and the
 * page map have the same hashes, and lines of both drive each other out.
 */
#define GAP_BYTES	((size_t)512 << 10)

/*
 * struct slot - a slot
 * @zone: id of its zone
 * @handles: of that zone; 0 if it has none
 * @region: where it is, NULL if it was never used
 * @lost: it has no region any more
 */
static struct slot {
	uint64_t zone;
	uint32_t handles;
	void *region;
	bool lost;
} slots[SLOTS];

struct shmzone_cache_head *slot_cache(uint32_t slot, uint32_t number)
{
	char *region = slots[slot].region;
	struct shmzone_cache *cache;

	cache = (void *)(region + number * (size_t)SHMZONE_CACHE_BYTES);
	return &cache->head;
}

static uint32_t slot_of(uint64_t zone)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slots[slot].handles && slots[slot].zone == zone)
			break;
	return slot;
}

static uint32_t free_slot(void)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (!slots[slot].handles && !slots[slot].lost)
			break;
	return slot;
}

/* Addresses for a region, below a gap; NULL if there are none. */
static void *reserve_region(void)
{
	int saved = errno;
	char *area = mmap(NULL, REGION_BYTES + GAP_BYTES, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	errno = saved;
	if (area == MAP_FAILED)
		return NULL;
	lib_unmap(area + REGION_BYTES, GAP_BYTES);
	return area;
}

static uint32_t map_slot(struct shmz *z, uint64_t zone)
{
	uint32_t slot = free_slot();
	void *region;

	if (slot == SLOT_NONE)
		return SLOT_NONE;
	region = slots[slot].region ?: reserve_region();
	if (!region)
		return SLOT_NONE;
	if (!lib_map(z->fd, &region, REGION_BYTES, PROT_READ | PROT_WRITE,
		     SHMZONE_MMAP_CACHES)) {
		slots[slot].region = region;
		slots[slot].zone = zone;
		memset(depot_of(slot), 0, sizeof(struct depot));
		store(*slot_lacks_client(slot), false);
		return slot;
	}
	if (slots[slot].region)
		slots[slot].lost = true;
	else
		lib_unmap(region, REGION_BYTES);
	return SLOT_NONE;
}

static uint32_t take_slot(struct shmz *z, uint64_t zone_id)
{
	uint64_t signals;
	uint32_t slot;

	if (threads_init())
		return SLOT_NONE;
	slots_lock(&signals);
	slot = slot_of(zone_id);
	if (slot == SLOT_NONE)
		slot = map_slot(z, zone_id);
	if (slot != SLOT_NONE)
		slots[slot].handles++;
	slots_unlock(&signals);
	return slot;
}

void slot_get(struct shmz *z, uint64_t zone_id)
{
	set_slot(z, take_slot(z, zone_id));
}

void slot_put(struct shmz *z)
{
	struct slot *slot = &slots[z->slot];
	uint64_t signals;

	if (z->slot == SLOT_NONE)
		return;
	slots_lock(&signals);
	if (!--slot->handles && lib_cover(slot->region, REGION_BYTES)) {
		lib_unmap(slot->region, REGION_BYTES);
		slot->lost = true;
	}
	slots_unlock(&signals);
}

void slots_end(void)
{
	uint64_t signals;
	uint32_t slot;

	slots_lock(&signals);
	for (slot = 0; slot < SLOTS; slot++) {
		if (slots[slot].handles)
			continue;
		if (slots[slot].region && !slots[slot].lost)
			lib_unmap(slots[slot].region, REGION_BYTES);
		slots[slot].lost = true;
	}
	slots_unlock(&signals);
}
