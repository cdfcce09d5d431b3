// SPDX-License-Identifier: GPL-2.0
/*
 * The module's calls beside one that does nothing: an ioctl that /dev/null does
 * not know. By the raw ABI, without the library.
 *
 * ioctl_alloc: one slot of 64 bytes is allocated; freed.
 * ioctl_batch64: 64 of them at once, which were just freed.
 * ioctl_drain63: 63 random ones of 50,000 live are freed at once.
 */
#include "bench.h"
#include "host.h"
#include "rows.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/shmzone.h>

#define SLOT_BYTES	64
#define ZONE_BYTES	(1ULL << 30)
#define CALLS		1000U
#define BATCH		64U
#define LIVE		50000U
#define DRAIN		63U
#define DRAINS		20U

struct calls {
	int null;
	int zone;
	u64 offset[LIVE];
	u64 seed;
};

static void ask(int fd, unsigned long cmd, void *args)
{
	if (ioctl(fd, cmd, args))
		bench_die("a call of the module failed");
}

static void make(struct calls *calls, u64 *offsets, u32 count)
{
	struct shmzone_alloc args = {
		.size = sizeof(args),
		.bytes = SLOT_BYTES,
		.offsets = (uintptr_t)offsets,
		.count = count,
	};

	ask(calls->zone, SHMZONE_ALLOC, &args);
	BENCH_ASSERT(args.out_count == count);
}

static void unmake(struct calls *calls, const u64 *offsets, u32 count)
{
	struct shmzone_free args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)offsets,
		.count = count,
	};

	ask(calls->zone, SHMZONE_FREE, &args);
	BENCH_ASSERT(args.out_count == count);
}

static void null_round(struct watch *watch, void *arg)
{
	const struct calls *calls = arg;
	struct shmzone_alloc args = {};
	u32 i;

	watch_start(watch);
	for (i = 0; i < CALLS; i++)
		ioctl(calls->null, SHMZONE_ALLOC, &args);
	watch_stop(watch, CALLS);
}

static void alloc_round(struct watch *watch, void *arg)
{
	struct calls *calls = arg;
	u32 i;

	watch_start(watch);
	for (i = 0; i < CALLS; i++)
		make(calls, &calls->offset[i], 1);
	watch_stop(watch, CALLS);
	unmake(calls, calls->offset, CALLS);
}

static void free_round(struct watch *watch, void *arg)
{
	struct calls *calls = arg;
	u32 i;

	make(calls, calls->offset, CALLS);
	watch_start(watch);
	for (i = 0; i < CALLS; i++)
		unmake(calls, &calls->offset[i], 1);
	watch_stop(watch, CALLS);
}

static void batch_round(struct watch *watch, void *arg)
{
	struct calls *calls = arg;
	u32 i;

	for (i = 0; i < CALLS / 10; i++) {
		watch_start(watch);
		make(calls, calls->offset, BATCH);
		watch_stop(watch, 1);
		unmake(calls, calls->offset, BATCH);
	}
}

/* Random ones are put at the end, whose order means nothing. */
static void drain_round(struct watch *watch, void *arg)
{
	struct calls *calls = arg;
	u64 *chosen = calls->offset + LIVE - DRAIN;
	u32 i, j, other;

	for (i = 0; i < DRAINS; i++) {
		for (j = 0; j < DRAIN; j++) {
			other = host_random(&calls->seed) % (LIVE - DRAIN);
			swap(calls->offset[other], chosen[j]);
		}
		watch_start(watch);
		unmake(calls, chosen, DRAIN);
		watch_stop(watch, 1);
		make(calls, chosen, DRAIN);
	}
}

static struct calls *calls_begin(void)
{
	struct calls *calls = bench_calloc(1, sizeof(*calls));
	struct shmzone_create args = { .size = sizeof(args), .zone_bytes = ZONE_BYTES };
	int control = open("/dev/shmzone", O_RDWR | O_CLOEXEC);

	calls->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	calls->zone = control < 0 ? -1 : ioctl(control, SHMZONE_CREATE, &args);
	if (calls->null < 0 || calls->zone < 0)
		bench_die("no zone can be created");
	calls->seed = 1;
	return calls;
}

static void compare(const char *what, void (*round)(struct watch *watch, void *arg),
		    struct calls *calls, double bar)
{
	struct side sides[] = { { round, calls }, { null_round, calls } };
	struct sample samples[ARRAY_SIZE(sides)];
	struct figure figure;

	rounds_run(sides, samples, ARRAY_SIZE(sides));
	figure = figure_of(guest_where(what), &samples[0]);
	figure_beside(&figure, &samples[0], "null ioctl", &samples[1]);
	if (bar)
		figure_bar(&figure, BAR_OF_RATIO, bar);
	report(&figure);
}

void vm_ioctl_alloc(u64 arg)
{
	struct calls *calls = calls_begin();

	(void)arg;
	compare("allocate 1", alloc_round, calls, 2.5);
	compare("free 1", free_round, calls, 0);
}

void vm_ioctl_batch64(u64 arg)
{
	(void)arg;
	compare("allocate 64", batch_round, calls_begin(), 3);
}

void vm_ioctl_drain63(u64 arg)
{
	struct calls *calls = calls_begin();
	u32 i;

	(void)arg;
	for (i = 0; i < LIVE; i += 1000)
		make(calls, calls->offset + i, 1000);
	compare("free 63 at random", drain_round, calls, 6);
}
