// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is resident beside memory that is live.
 *
 * The same churn (churn.c) from the same seeds is lived by a zone and by each
 * peer (peer.c). All objects are written in full, so all of this is real
 * memory. The zone's is a memfd, as a zone's memory in the kernel is a shmem
 * file: what is resident are its blocks. To give memory back, the heap is asked
 * for runs of pages that may hold memory and hold no object, and a hole is
 * punched for each. What the heap needs in the kernel (kmem.c, and the page
 * map) counts as resident but where "data alone" is said.
 *
 * residual_90: after nine of ten objects were freed at random and everything
 * was given back that can be.
 *
 * resident_full: with everything allocated once and nothing freed, and in the
 * steady state after that.
 */
#include "core.h"
#include "kmem.h"
#include "peer.h"
#include "rows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEDS	3
#define PAGES	GIB(16)

/**
 * struct memory - a zone with memory
 * @zone: the zone
 * @fd: a memfd
 * @data: its mapping
 */
struct memory {
	struct zone zone;
	int fd;
	u8 *data;
};

static void memory_create(struct memory *memory)
{
	memory->fd = memfd_create("zone", MFD_CLOEXEC);
	if (memory->fd < 0 || ftruncate(memory->fd, PAGES << PAGE_SHIFT))
		bench_die("no memfd");
	memory->data = mmap(NULL, PAGES << PAGE_SHIFT, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, memory->fd, 0);
	if (memory->data == MAP_FAILED)
		bench_die("the memfd cannot be mapped");
	kmem_watch();
	zone_create(&memory->zone, PAGES);
}

static void memory_destroy(struct memory *memory)
{
	zone_destroy(&memory->zone);
	kmem_unwatch();
	munmap(memory->data, PAGES << PAGE_SHIFT);
	close(memory->fd);
}

/* Gives back what can be given back. */
static void memory_release(struct memory *memory)
{
	u64 first = 0, n;

	while (zone_find_idle(&memory->zone, &first, &n)) {
		if (fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      first << PAGE_SHIFT, n << PAGE_SHIFT))
			bench_die("no hole can be punched");
		first += n;
	}
}

static struct residence memory_residence(const struct memory *memory, const struct churn *churn)
{
	struct stat stat;

	if (fstat(memory->fd, &stat))
		bench_die("the memfd says nothing");
	return (struct residence){
		.live = churn->live_bytes,
		.resident = stat.st_blocks * 512,
		.kernel = kmem_allocated() + zone_map_bytes(&memory->zone),
	};
}

static u64 memory_alloc(void *arg, u32 bytes)
{
	struct memory *memory = arg;
	u64 offset;

	zone_make(&memory->zone, bytes, &offset, 1);
	memset(memory->data + offset, 1, bytes);
	return offset;
}

static void memory_free(void *arg, u64 object, u32 bytes)
{
	struct memory *memory = arg;

	(void)bytes;
	zone_drop(&memory->zone, &object, 1);
}

static const struct churn_ops memory_ops = { .alloc = memory_alloc, .free = memory_free };

static void zone_churn(enum churn_sizes sizes, u64 seed, struct residence residence[MOMENTS])
{
	struct memory memory;
	struct churn churn;

	memory_create(&memory);
	churn_begin(&churn, &memory_ops, &memory, sizes, seed);
	churn_fill(&churn);
	residence[MOMENT_FULL] = memory_residence(&memory, &churn);
	churn_steady(&churn);
	residence[MOMENT_STEADY] = memory_residence(&memory, &churn);
	churn_shrink(&churn);
	memory_release(&memory);
	residence[MOMENT_SHRUNK] = memory_residence(&memory, &churn);
	memory_destroy(&memory);
}

/* What is compared: the zone, then the peers. */

#define ZONE		0
#define LIVES		(PEERS + 1)

struct lives {
	struct residence residence[LIVES][SEEDS][MOMENTS];
	bool lived[LIVES];
};

static void live(struct lives *lives, enum churn_sizes sizes)
{
	u32 i, seed;

	for (i = 0; i < LIVES; i++)
		lives->lived[i] = true;
	for (seed = 0; seed < SEEDS; seed++) {
		zone_churn(sizes, seed + 1, lives->residence[ZONE][seed]);
		for (i = 1; i < LIVES; i++)
			lives->lived[i] &= peer_churn(&peers[i - 1], sizes, seed + 1,
						      lives->residence[i][seed]);
	}
}

/* Resident to live, for each seed. */
static void ratios(const struct lives *lives, u32 life, enum moment moment, bool with_kernel,
		   double *values)
{
	const struct residence *residence;
	u32 seed;

	for (seed = 0; seed < SEEDS; seed++) {
		residence = &lives->residence[life][seed][moment];
		values[seed] = residence->resident + (with_kernel ? residence->kernel : 0);
		values[seed] /= residence->live;
	}
}

static void report_zone(const struct lives *lives, const char *where, enum moment moment,
			bool with_kernel, double bar)
{
	struct figure figure = figure_none(where, "live");
	double values[SEEDS];

	ratios(lives, ZONE, moment, with_kernel, values);
	figure.value = estimate_of(values, SEEDS);
	figure.rounds = SEEDS;
	if (bar)
		figure_bar(&figure, BAR_OF_VALUE, bar);
	report(&figure);
}

static void report_beside(const struct lives *lives, const char *where, enum moment moment,
			  u32 life, double bar)
{
	struct figure figure = figure_none(where, "live");
	double values[SEEDS], peer_values[SEEDS];

	figure.peer = peers[life - 1].name;
	if (!lives->lived[life]) {
		figure.lacks = "did not run, is it installed?";
		report(&figure);
		return;
	}
	ratios(lives, ZONE, moment, true, values);
	ratios(lives, life, moment, true, peer_values);
	figure.value = estimate_of(values, SEEDS);
	figure.peer_value = estimate_of(peer_values, SEEDS);
	figure.ratio = estimate_ratio(values, peer_values, SEEDS);
	figure.rounds = SEEDS;
	if (bar)
		figure_bar(&figure, BAR_OF_RATIO, bar);
	report(&figure);
}

#define RESIDUAL_LIVE	2.5

/* By peer, in the order of peers[]; 0 for none. */
static const double residual_bars[PEERS] = { 0.9, 0.6 };

void core_residual_90(u64 arg)
{
	struct lives lives;
	u32 i;

	(void)arg;
	live(&lives, CHURN_UNIFORM);
	report_zone(&lives, "native, 8 to 4096", MOMENT_SHRUNK, true, RESIDUAL_LIVE);
	report_zone(&lives, "native, 8 to 4096, data alone", MOMENT_SHRUNK, false, 0);
	for (i = 1; i < LIVES; i++)
		report_beside(&lives, "native, 8 to 4096", MOMENT_SHRUNK, i,
			      residual_bars[i - 1]);

	live(&lives, CHURN_LOG_UNIFORM);
	report_zone(&lives, "native, log-uniform", MOMENT_SHRUNK, true, 0);
	for (i = 1; i < LIVES; i++)
		report_beside(&lives, "native, log-uniform", MOMENT_SHRUNK, i, 0);
}

#define FULL_LIVE	1.10

void core_resident_full(u64 arg)
{
	struct lives lives;
	u32 i;

	(void)arg;
	live(&lives, CHURN_UNIFORM);
	report_zone(&lives, "native, 8 to 4096", MOMENT_FULL, true, FULL_LIVE);
	report_zone(&lives, "native, 8 to 4096, data alone", MOMENT_FULL, false, 0);
	for (i = 1; i < LIVES; i++)
		report_beside(&lives, "native, 8 to 4096", MOMENT_FULL, i, 0);
	report_zone(&lives, "native, the same, after churn", MOMENT_STEADY, true, 0);
	for (i = 1; i < LIVES; i++)
		report_beside(&lives, "native, the same, after churn", MOMENT_STEADY, i, 0);
}
