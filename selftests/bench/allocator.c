// SPDX-License-Identifier: GPL-2.0
/*
 * Allocators as shared objects in this process.
 *
 * RTLD_LOCAL keeps each one's malloc() to itself: the program's own is glibc's
 * all the time. Some want thread-local storage that is laid out when the
 * program starts, for which main() makes room.
 */
#include "allocator.h"
#include "guest.h"

#include <dlfcn.h>

#include <shmzone.h>

#define ZONE_BYTES	(16ULL << 30)
#define BOOST_BYTES	(256ULL << 20)
#define POOL_BYTES	64

/* What peers call their functions; NULL where they have none. */
static const char *const sized_names[PEERS] = { NULL, "sdallocx", "tc_free_sized", "mi_free_size" };

static struct allocator allocators[ALLOCATORS];

static void *find(void *library, const char *name)
{
	void *function = dlsym(library, name);

	if (!function)
		bench_die("%s", dlerror());
	return function;
}

static void *open_library(const char *name)
{
	return name ? dlopen(name, RTLD_NOW | RTLD_LOCAL) :
		      dlopen("libc.so.6", RTLD_NOW);
}

static bool load_peer(struct allocator *to, u32 peer)
{
	void *library = open_library(peers[peer].library);

	if (!library)
		return false;
	to->name = peers[peer].name;
	to->take = find(library, "malloc");
	to->drop = find(library, "free");
	to->drop_sized = find(library, sized_names[peer] ?: "free");
	to->take_zeroed = find(library, "calloc");
	to->resize = find(library, "realloc");
	to->take_aligned = find(library, "memalign");
	return true;
}

static struct shmz *(*zone_create_by)(const char *name, u64 bytes, const void *options);

struct shmz *allocator_zone(unsigned int kind)
{
	struct shmz_options options = { .size = sizeof(options), .flags = kind };
	struct shmz *zone = zone_create_by(NULL, ZONE_BYTES, &options);

	if (!zone)
		bench_die("a zone cannot be created");
	return zone;
}

static bool load_zone(struct allocator *to, u64 charge)
{
	void *library;
	char text[16];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)charge);
	setenv("SHMZONE_HOST_CHARGE", text, 1);
	library = dlopen(in_guest ? REAL_LIBRARY : ZONE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return false;
	to->name = "shmzone";
	zone_create_by = find(library, "shmz_create");
	to->zone = allocator_zone(0);
	to->zone_take = find(library, "shmz_alloc");
	to->zone_drop = find(library, "shmz_free");
	to->zone_drop_sized = find(library, "shmz_free_sized");
	to->zone_take_zeroed = find(library, "shmz_calloc");
	to->zone_resize = find(library, "shmz_realloc");
	to->zone_take_aligned = find(library, "shmz_aligned_alloc");
	return true;
}

const struct allocator *allocator_load(u32 index, u64 charge)
{
	struct allocator *allocator = &allocators[index];

	if (allocator->name)
		return allocator;
	if (index ? load_peer(allocator, index - 1) : load_zone(allocator, charge))
		return allocator;
	return NULL;
}

/* One of ours that stands for another: boost.cpp, dpdk.c. */
static bool load_stand_in(struct allocator *to, const char *path, size_t bytes)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	bool (*begin)(size_t bytes);

	if (!library)
		return false;
	begin = find(library, "peer_begin");
	to->take = find(library, "peer_take");
	to->drop = find(library, "peer_drop");
	return begin(bytes);
}

const struct allocator *allocator_boost(void)
{
	static struct allocator boost = { .name = "boost" };

	return load_stand_in(&boost, BOOST_LIBRARY, BOOST_BYTES) ? &boost : NULL;
}

const struct allocator *allocator_pool(void)
{
	static struct allocator pool = { .name = "rte_mempool" };

	return load_stand_in(&pool, POOL_LIBRARY, POOL_BYTES) ? &pool : NULL;
}

#define NOTHING_OBJECTS	8192U

static void *take_nothing(size_t bytes)
{
	static _Alignas(64) char objects[NOTHING_OBJECTS][POOL_BYTES];
	static __thread u32 next;

	(void)bytes;
	return objects[next++ % NOTHING_OBJECTS];
}

static void drop_nothing(void *object)
{
	(void)object;
}

const struct allocator *allocator_nothing(void)
{
	static const struct allocator nothing = {
		.name = "nothing",
		.take = take_nothing,
		.drop = drop_nothing,
	};

	return &nothing;
}

const char *allocator_lacks(u32 index)
{
	return index ? "did not load, is it installed?" : "libshmzone-host.so is not there";
}
