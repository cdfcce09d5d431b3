// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone list: the names of this IPC namespace that one may open.
 */
#include <ctype.h>

#include "tool.h"

/* A name may hold any byte; one that is not seen would mislead. */
static void print_name(const struct shmzone_entry *entry)
{
	unsigned int i;

	for (i = 0; i < entry->name_len; i++) {
		unsigned char byte = entry->name[i];

		if (byte == '\\' || (byte < 0x80 && !isprint(byte)))
			printf("\\%03o", byte);
		else
			putchar(byte);
	}
	putchar('\n');
}

static void print_entry(const struct shmzone_entry *entry)
{
	char size[QUANTITY_MAX];

	printf("%6llu %04o %8u %8u %10s %-8s ", entry->id, entry->mode, entry->uid,
	       entry->gid, quantity(size, entry->zone_bytes),
	       entry->flags & SHMZONE_ENTRY_PERSIST ? "persists" : "");
	print_name(entry);
}

int cmd_list(int argc, char **argv)
{
	struct shmzone_entry entries[64];
	uint64_t cursor = 0;
	int i, n;

	if (getopt(argc, argv, "") != -1 || optind != argc)
		return usage_error();
	printf("%6s %4s %8s %8s %10s %-8s %s\n", "number", "mode", "uid", "gid",
	       "size", "", "name");
	do {
		n = shmz_list(entries, sizeof(entries[0]), ARRAY_SIZE(entries),
			      &cursor);
		if (n < 0)
			return fail("/dev/shmzone", -n);
		for (i = 0; i < n; i++)
			print_entry(&entries[i]);
	} while (cursor);
	return EXIT_OK;
}
