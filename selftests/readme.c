// SPDX-License-Identifier: GPL-2.0
/*
 * What the kselftest programs share, continued: the tables of README.md, which
 * are tests too.
 */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "utils.h"

FILE *open_readme(void)
{
	char path[PATH_MAX], program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (n < 0)
		return NULL;
	program[n] = '\0';
	snprintf(path, sizeof(path), "%s/../../README.md", dirname(program));
	return fopen(path, "re");
}

/* "| a | b |" to its cells; gives how many. */
static size_t split(char *line, char *cells[], size_t max)
{
	char *rest, *cell = strtok_r(line, "|\n", &rest);
	size_t n = 0;

	for (; cell && n < max; cell = strtok_r(NULL, "|\n", &rest)) {
		size_t length;

		cell += strspn(cell, " ");
		length = strlen(cell);
		while (length && cell[length - 1] == ' ')
			cell[--length] = '\0';
		if (length)
			cells[n++] = cell;
	}
	return n;
}

size_t readme_row(FILE *readme, const char *heading, bool *in_table, char *line,
		  size_t size, char *cells[], size_t max)
{
	while (fgets(line, size, readme)) {
		if (!*in_table && strncmp(line, heading, strlen(heading)))
			continue;
		if (line[0] != '|')
			return 0;
		*in_table = true;
		if (line[1] != '-')
			return split(line, cells, max);
	}
	return 0;
}
