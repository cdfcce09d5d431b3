// SPDX-License-Identifier: GPL-2.0
/*
 * Taking stock back, by the raw ABI, without the library: 1,000 threads sleep with
 * stock in their caches, whose pages are mapped.
 *
 * In each round all caches are filled, and all are taken back; time is for each cache.
 * At last they are filled once more, and spans are allocated until there are no more:
 * those must be as many as without caches, since nothing is live.
 *
 * It is one thread that fills the caches of all, as each would its own.
 */
#include "bench.h"
#include "guest.h"
#include "rows.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/shmzone.h>

/* So that all caches together may have 64 MiB. */
#define ZONE_BYTES	(8ULL << 30)
#define LIMIT_BYTES	(4ULL << 30)
#define SPAN_BYTES	(1ULL << 20)
#define THREADS		1000U
/* The C library also puts the variables of a thread there, of all that is loaded. */
#define STACK_BYTES	(512 * 1024)
#define SLOT_BYTES	64
#define FULL		252U	/* such slots in a cache at most */

struct idlers {
	int zone;
	u32 size_class;
	char *caches;
	pthread_mutex_t sleep;
	u64 span[LIMIT_BYTES / SPAN_BYTES];
};

static void *sleeps(void *arg)
{
	struct idlers *idlers = arg;

	pthread_mutex_lock(&idlers->sleep);
	pthread_mutex_unlock(&idlers->sleep);
	return NULL;
}

static void fill(struct idlers *idlers, u32 index)
{
	struct shmzone_cache_refill args = {
		.size = sizeof(args), .cache = index, .size_class = idlers->size_class,
	};
	volatile struct shmzone_cache *cache = (void *)(idlers->caches +
							(size_t)index * SHMZONE_CACHE_BYTES);
	u32 used = 0;

	do {
		if (ioctl(idlers->zone, SHMZONE_CACHE_REFILL, &args))
			bench_die("a cache cannot be filled");
		/* As its thread would, so that it is mapped. */
		cache->head.key = cache->head.key;
		used += args.out_count;
	} while (used < FULL);
}

static void fill_all(struct idlers *idlers)
{
	u32 i;

	for (i = 0; i < THREADS; i++)
		fill(idlers, i);
}

static void revoke_round(struct watch *watch, void *arg)
{
	struct shmzone_cache_reclaim args = { .size = sizeof(args) };
	struct idlers *idlers = arg;

	fill_all(idlers);
	watch_start(watch);
	if (ioctl(idlers->zone, SHMZONE_CACHE_RECLAIM, &args))
		bench_die("stock cannot be taken back");
	/* On a slow machine the first ones are idle for too long. */
	BENCH_ASSERT(args.out_caches);
	watch_stop(watch, args.out_caches);
}

/* How many spans there are room for. */
static u32 spans_that_fit(struct idlers *idlers)
{
	struct shmzone_alloc take = { .size = sizeof(take), .bytes = SPAN_BYTES, .count = 1 };
	struct shmzone_free give = { .size = sizeof(give), .count = 1 };
	u32 n = 0, i;

	for (; n < ARRAY_SIZE(idlers->span); n++) {
		take.offsets = (uintptr_t)&idlers->span[n];
		if (ioctl(idlers->zone, SHMZONE_ALLOC, &take))
			break;
	}
	for (i = 0; i < n; i++) {
		give.offsets = (uintptr_t)&idlers->span[i];
		if (ioctl(idlers->zone, SHMZONE_FREE, &give))
			bench_die("a span cannot be freed");
	}
	return n;
}

static u32 class_of_slots(int zone)
{
	struct shmzone_query query = { .size = sizeof(query) };
	struct shmzone_alloc take = {
		.size = sizeof(take), .bytes = SLOT_BYTES, .count = 1,
		.offsets = (uintptr_t)&query.offset,
	};
	struct shmzone_free give = {
		.size = sizeof(give), .count = 1, .offsets = (uintptr_t)&query.offset,
	};

	if (ioctl(zone, SHMZONE_ALLOC, &take) || ioctl(zone, SHMZONE_QUERY, &query) ||
	    ioctl(zone, SHMZONE_FREE, &give))
		bench_die("no slot can be allocated");
	return query.out_class;
}

static void start_threads(struct idlers *idlers)
{
	pthread_attr_t small;
	pthread_t thread;
	u32 i;

	pthread_mutex_init(&idlers->sleep, NULL);
	pthread_mutex_lock(&idlers->sleep);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, &small, sleeps, idlers))
			bench_die("there are not so many threads");
}

static struct idlers *idlers_begin(void)
{
	struct idlers *idlers = bench_calloc(1, sizeof(*idlers));
	struct shmzone_create args = {
		.size = sizeof(args), .zone_bytes = ZONE_BYTES, .limit_bytes = LIMIT_BYTES,
	};
	int control = open("/dev/shmzone", O_RDWR | O_CLOEXEC);

	idlers->zone = control < 0 ? -1 : ioctl(control, SHMZONE_CREATE, &args);
	if (idlers->zone < 0)
		bench_die("no zone can be created");
	idlers->size_class = class_of_slots(idlers->zone);
	idlers->caches = mmap(NULL, (size_t)THREADS * SHMZONE_CACHE_BYTES,
			      PROT_READ | PROT_WRITE, MAP_SHARED, idlers->zone,
			      SHMZONE_MMAP_CACHES);
	if (idlers->caches == MAP_FAILED)
		bench_die("no caches can be mapped");
	start_threads(idlers);
	return idlers;
}

static void to_microseconds(struct estimate *estimate)
{
	estimate->median /= 1000;
	estimate->min /= 1000;
	estimate->low /= 1000;
	estimate->high /= 1000;
}

void vm_revoke(u64 arg)
{
	struct idlers *idlers = idlers_begin();
	struct side side = { revoke_round, idlers };
	u32 room = spans_that_fit(idlers);
	struct sample sample;
	struct figure figure;

	(void)arg;
	rounds_run(&side, &sample, 1);
	fill_all(idlers);
	if (spans_that_fit(idlers) != room)
		bench_die("stock keeps some of the zone from being allocated");
	figure = figure_of(guest_where("1,000 caches of 252 slots"), &sample);
	figure.instructions = NAN;
	if (!guest_counted) {
		to_microseconds(&figure.value);
		figure.unit = "us";
		figure_bar(&figure, BAR_OF_VALUE, 50);
	}
	report(&figure);
}
