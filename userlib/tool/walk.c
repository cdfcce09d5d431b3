// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone walk: all that is allocated in a zone.
 */
#include <inttypes.h>

#include "tool.h"

static void print_object(const struct shmzone_object *object)
{
	char text[QUANTITY_MAX], owner[24] = "-";

	if (object->owner)
		snprintf(owner, sizeof(owner), "%" PRIu64, (uint64_t)object->owner);
	printf("%#16" PRIx64 " %10s %5u %10s%s%s%s\n", (uint64_t)object->offset,
	       quantity(text, object->bytes), object->group, owner,
	       object->flags & SHMZONE_OBJECT_CACHED ? "  cached" : "",
	       object->flags & SHMZONE_OBJECT_OFFERED ? "  offered" : "",
	       object->flags & SHMZONE_OBJECT_LINKED ? "  linked" : "");
}

static int print_objects(const struct shmz *z, void *arg)
{
	static struct shmzone_object objects[SHMZONE_WALK_MAX];
	uint64_t cursor = 0;
	int i, n;

	(void)arg;
	printf("%16s %10s %5s %10s\n", "offset", "usable", "group", "owner");
	do {
		n = shmz_walk(z, &cursor, objects, sizeof(objects[0]), ARRAY_SIZE(objects));
		for (i = 0; i < n; i++)
			print_object(&objects[i]);
	} while (n >= 0 && cursor);
	return n < 0 ? n : 0;
}

int cmd_walk(int argc, char **argv)
{
	return show_zone(no_options(argc, argv), print_objects, NULL);
}
