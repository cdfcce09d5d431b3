// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone roots: the named objects of a zone.
 */
#include <ctype.h>
#include <inttypes.h>

#include "tool.h"

/* Names are any bytes: what a terminal might act upon is shown in octal. */
static void print_name(const struct shmzone_root *root)
{
	uint32_t i;

	for (i = 0; i < root->name_len; i++) {
		unsigned char c = root->name[i];

		if (isprint(c) && c != '\\')
			putchar(c);
		else
			printf("\\%03o", c);
	}
	putchar('\n');
}

static void print_root(const struct shmz *z, const struct shmzone_root *root)
{
	size_t bytes = shmz_usable_size(z, shmz_pointer(z, root->offset));
	char text[QUANTITY_MAX] = "-";

	if (bytes)
		quantity(text, bytes);
	printf("%#16" PRIx64 " %10s  ", (uint64_t)root->offset, text);
	print_name(root);
}

static int print_roots(const struct shmz *z, void *arg)
{
	struct shmzone_root roots[32] = {};
	const char *after = NULL;
	int i, n;

	(void)arg;
	do {
		n = shmz_root_list(z, after, roots, sizeof(roots[0]),
				   ARRAY_SIZE(roots));
		if (n > 0 && !after)
			printf("%16s %10s  name\n", "offset", "usable");
		for (i = 0; i < n; i++)
			print_root(z, &roots[i]);
		after = roots[ARRAY_SIZE(roots) - 1].name;
	} while (n == ARRAY_SIZE(roots));
	return n < 0 ? n : 0;
}

int cmd_roots(int argc, char **argv)
{
	return show_zone(no_options(argc, argv), print_roots, NULL);
}
