// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "runs.h"

void runs_init(struct runs *runs, const struct shmz *zone)
{
	size_t pages;

	runs->zone = zone;
	runs->map = shmz_page_map(zone, &pages);
	runs->pages = pages;
	runs->page_bytes = shmz_size(zone) / pages;
}

/* Pages of slabs of one class look alike, those of free runs too. */
static uint64_t alike(const struct runs *runs, uint64_t first, uint32_t entry)
{
	uint64_t end = first + 1;

	while (end < runs->pages &&
	       SHMZONE_PAGE_KIND(runs->map[end]) == SHMZONE_PAGE_KIND(entry) &&
	       SHMZONE_PAGE_CLASS(runs->map[end]) == SHMZONE_PAGE_CLASS(entry))
		end++;
	return end - first;
}

/* Only the first page of a span is in the map; the kernel knows its length. */
static uint64_t span_pages(const struct runs *runs, uint64_t first)
{
	const char *p = shmz_pointer(runs->zone, first * runs->page_bytes);
	uint64_t pages = shmz_usable_size(runs->zone, p) / runs->page_bytes;
	uint64_t most = runs->pages - first;

	/* It may have been freed a moment ago. */
	if (!pages)
		return 1;
	return pages < most ? pages : most;
}

struct run runs_at(const struct runs *runs, uint64_t first)
{
	uint32_t entry = runs->map[first];
	struct run run = { .first = first };

	switch (SHMZONE_PAGE_KIND(entry)) {
	case SHMZONE_KIND_SPAN:
		run.use = USE_SPAN;
		run.pages = span_pages(runs, first);
		break;
	case SHMZONE_KIND_SLAB:
	case SHMZONE_KIND_MIXED:
		run.use = SHMZONE_PAGE_CLASS(entry);
		run.pages = alike(runs, first, entry);
		break;
	default:
		run.use = USE_FREE;
		run.pages = alike(runs, first, entry);
	}
	return run;
}

/*
 * A zone's map can be long and all zero but for its beginning, so the search
 * ends when all that is taken has been seen.
 */
uint64_t runs_extent(const struct runs *runs, uint64_t taken)
{
	uint64_t seen = 0, page = 0, end = 0;
	struct run run;

	while (page < runs->pages && seen < taken) {
		run = runs_at(runs, page);
		page += run.pages;
		if (run.use != USE_FREE) {
			seen += run.pages;
			end = page;
		}
	}
	return end;
}
