/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A zone's pages as runs of equal use, in address order, read from its page
 * map while others go on allocating: what is read may be out of date at once.
 */
#ifndef SHMZONE_RUNS_H
#define SHMZONE_RUNS_H

#include <stdint.h>

#include <shmzone.h>

/* Beside the size classes, which slabs have: what else a page may be. */
#define USE_SPAN	SHMZONE_CLASS_SPAN
#define USE_FREE	64
#define USES		65

/* Pages [first, first + pages) are all of one use. */
struct run {
	uint64_t first;
	uint64_t pages;
	unsigned int use;
};

struct runs {
	const struct shmz *zone;
	const volatile uint32_t *map;
	uint64_t pages;		/* in the zone */
	uint64_t page_bytes;
};

void runs_init(struct runs *runs, const struct shmz *zone);

/* The run that begins at page @first, which lies in the zone. */
struct run runs_at(const struct runs *runs, uint64_t first);

/* Where the pages in use end, of which there are @taken in all. */
uint64_t runs_extent(const struct runs *runs, uint64_t taken);

#endif
