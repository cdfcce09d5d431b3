// SPDX-License-Identifier: GPL-2.0
/*
 * What owned and checked zones cost.
 *
 * kinds64: objects of 64 bytes are allocated, written and freed, in an owned and in
 * a checked zone, beside a plain one: one at a time; or 100 and then the same 100, so
 * that the kernel looks at different ones in checked zones.
 */
#include "allocator.h"
#include "guest.h"
#include "rows.h"

#include <shmzone.h>

#define OBJECTS		100U
#define ROUNDS		200U

struct hoard {
	struct allocator from;
	u32 objects;
	void *object[OBJECTS];
};

static void hoard_round(struct watch *watch, void *arg)
{
	struct hoard *hoard = arg;
	u32 i, n, rounds = guest_fewer(ROUNDS * OBJECTS) / hoard->objects;

	watch_start(watch);
	for (n = 0; n < rounds; n++) {
		for (i = 0; i < hoard->objects; i++) {
			hoard->object[i] = take(&hoard->from, 64, true);
			touch(hoard->object[i], 64);
		}
		for (i = 0; i < hoard->objects; i++)
			drop(&hoard->from, hoard->object[i], true);
	}
	watch_stop(watch, (u64)rounds * hoard->objects);
}

static void beside_plain(const char *what, const struct sample *sample,
			 const struct sample *plain)
{
	struct figure figure = figure_of(guest_where(what), sample);

	figure_beside(&figure, sample, "plain", plain);
	report(&figure);
}

static void kinds_of(u32 objects, const char *owned, const char *checked)
{
	static const unsigned int kinds[] = { 0, SHMZ_OWNED, SHMZ_OWNED | SHMZ_CHECKED };
	static struct hoard hoards[ARRAY_SIZE(kinds)];
	struct sample samples[ARRAY_SIZE(kinds)];
	struct side sides[ARRAY_SIZE(kinds)];
	const struct allocator *zone = allocator_load(0, 1);
	u32 i;

	if (!zone)
		bench_die("the library cannot be loaded");
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		hoards[i].from = *zone;
		hoards[i].from.zone = allocator_zone(kinds[i]);
		hoards[i].objects = objects;
		sides[i] = (struct side){ hoard_round, &hoards[i] };
	}
	rounds_run(sides, samples, ARRAY_SIZE(sides));
	beside_plain(owned, &samples[1], &samples[0]);
	beside_plain(checked, &samples[2], &samples[0]);
}

void vm_kinds64(u64 arg)
{
	(void)arg;
	kinds_of(1, "owned, one at a time", "checked, one at a time");
	kinds_of(OBJECTS, "owned, 100 at a time", "checked, 100 at a time");
}
