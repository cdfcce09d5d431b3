// SPDX-License-Identifier: GPL-2.0
/*
 * The stopwatch.
 *
 * The counter is free running and read by a system call, outside of the time
 * that is measured. Both the clock and the counter see part of the reading
 * itself, which is found out once, as the least of many, and subtracted. What
 * threads do that are made later is counted too.
 */
#include "guest.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALIBRATIONS	1000

static int counter_fd = -1;
static double own_ns, own_instructions;

static void counter_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.inherit = 1,
	};
	u64 value;

	counter_fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (counter_fd < 0)
		return;
	/* Where it opens but does not count, it says nothing at all. */
	if (read(counter_fd, &value, sizeof(value)) != sizeof(value) || !value) {
		close(counter_fd);
		counter_fd = -1;
	}
}

static u64 counter_read(void)
{
	u64 value = 0;

	if (counter_fd >= 0 && read(counter_fd, &value, sizeof(value)) != sizeof(value))
		bench_die("the instruction counter cannot be read");
	return value;
}

bool watch_counts(void)
{
	return counter_fd >= 0 || guest_counted;
}

const char *watch_unit(void)
{
	return guest_counted ? "instr" : "ns";
}

double watch_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

void watch_init(void)
{
	double least_ns = 1e9, least_instructions = 1e9;
	u32 i;

	counter_open();
	own_ns = 0;
	own_instructions = 0;
	for (i = 0; i < CALIBRATIONS; i++) {
		struct watch watch = {};

		watch_start(&watch);
		watch_stop(&watch, 1);
		least_ns = min(least_ns, watch.ns);
		least_instructions = min(least_instructions, watch.instructions);
	}
	own_ns = least_ns;
	own_instructions = least_instructions;
}

void watch_start(struct watch *watch)
{
	watch->start_instructions = counter_read();
	watch->start_ns = watch_now();
}

void watch_stop(struct watch *watch, u64 ops)
{
	double end_ns = watch_now();
	u64 end_instructions = counter_read();

	watch->ns += end_ns - watch->start_ns - own_ns;
	watch->instructions += end_instructions - watch->start_instructions - own_instructions;
	watch->ops += ops;
}
