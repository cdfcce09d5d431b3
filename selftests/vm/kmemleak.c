// SPDX-License-Identifier: GPL-2.0
/*
 * Leaks of the modules under test, as kmemleak sees them. Other code's are
 * none of our business.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define OBJECT "unreferenced object"

/* How a line of a backtrace begins where the module has gone. */
#define BARE_ADDRESS "\n    0x"

/* Objects younger than five seconds are never reported. */
#define MIN_AGE_US 5500000

/* What was found before the run does not count. */
void kmemleak_start(void)
{
	write_file(KMEMLEAK, "clear");
}

/* The next function of ours in a backtrace; @line is moved behind its line. */
static const char *next_symbol(const char **line)
{
	const char *symbol = NULL;

	while (!symbol && (*line = strstr(*line, BARE_ADDRESS))) {
		*line += strlen(BARE_ADDRESS) - 2;
		symbol = module_symbol(strtoul(*line, NULL, 16));
	}
	return symbol;
}

static void report(const char *object)
{
	const char *line = object;
	const char *symbol = next_symbol(&line);

	if (!symbol)
		return;
	fail("kmemleak: %s\n  allocated by:", object);
	for (; symbol; symbol = next_symbol(&line))
		fail("    %s", symbol);
}

/*
 * With the modules unloaded everything they ever allocated has to be free, be
 * it forgotten while they ran or in their exit functions.
 */
void kmemleak_report(void)
{
	char *text, *object, *next;

	if (access(KMEMLEAK, F_OK))
		return;
	usleep(MIN_AGE_US);
	/* The first scan only notes checksums of what may be a leak. */
	if (!write_file(KMEMLEAK, "scan") || !write_file(KMEMLEAK, "scan"))
		return;
	text = read_file(KMEMLEAK, NULL);
	if (!text)
		return;
	for (object = strstr(text, OBJECT); object; object = next) {
		next = strstr(object + 1, OBJECT);
		if (next)
			next[-1] = '\0';	/* the newline before it */
		report(object);
	}
	free(text);
}
