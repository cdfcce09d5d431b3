// SPDX-License-Identifier: GPL-2.0
/*
 * Real programs' lives with malloc(), lived again: see trace.h. What several
 * threads did is done by one, in the order of the record. Programs end without
 * freeing all that they have; that is freed unmeasured, for the next round.
 */
#include "allocator.h"
#include "pattern.h"
#include "rows.h"
#include "trace.h"

struct replay {
	const struct allocator *from;
	const struct trace *trace;
	void **object;
};

static __always_inline void replay_step(const struct replay *replay,
					const struct trace_step *step, const bool zone)
{
	const struct allocator *from = replay->from;
	void **object = &replay->object[step->object];

	switch (step->op) {
	case TRACE_TAKE:
		*object = take(from, step->bytes, zone);
		break;
	case TRACE_TAKE_ZEROED:
		*object = take_zeroed(from, step->bytes, zone);
		break;
	case TRACE_TAKE_ALIGNED:
		*object = take_aligned(from, 1UL << step->align_shift, step->bytes, zone);
		break;
	case TRACE_RESIZE:
		*object = resize(from, *object, step->bytes, zone);
		break;
	default:
		look(*object);
		drop(from, *object, zone);
		*object = NULL;
		return;
	}
	touch(*object, step->bytes);
}

static __always_inline void live_on(struct watch *watch, void *arg, const bool zone)
{
	const struct replay *replay = arg;
	const struct trace *trace = replay->trace;
	u64 i;

	for (i = 0; i < trace->objects; i++) {
		if (!replay->object[i])
			continue;
		drop(replay->from, replay->object[i], zone);
		replay->object[i] = NULL;
	}
	watch_start(watch);
	for (i = 0; i < trace->steps; i++)
		replay_step(replay, &trace->step[i], zone);
	watch_stop(watch, trace->steps);
}

BOTH(live_on);

static void *replay_begin(const struct allocator *allocator, u64 index)
{
	struct replay *replay = bench_calloc(1, sizeof(*replay));

	replay->from = allocator;
	replay->trace = trace_get(index);
	BENCH_ASSERT(replay->trace);
	replay->object = bench_calloc(replay->trace->objects, sizeof(void *));
	return replay;
}

static u64 replay_live(const void *arg)
{
	const struct replay *replay = arg;

	return replay->trace->live_bytes;
}

const struct pattern pattern_trace = {
	.rounds = live_on_rounds,
	.begin = replay_begin,
	.live_bytes = replay_live,
};

void host_trace(u64 index)
{
	const struct trace *trace = trace_get(index);
	struct figure figure = figure_none("native", "ns");
	char what[64];
	struct contest contest = {
		.where = what,
		.rounds = live_on_rounds,
		.begin = replay_begin,
		.arg = index,
		.charge = 1,
		.best_bar = 1.1,
	};

	if (!trace) {
		figure.lacks = "could not be recorded, is it installed?";
		return report(&figure);
	}
	snprintf(what, sizeof(what), "native, %llu steps, %llu objects",
		 (unsigned long long)trace->steps, (unsigned long long)trace->objects);
	contest_run(&contest);
}
