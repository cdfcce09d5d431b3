// SPDX-License-Identifier: GPL-2.0
/* TAP output for the host's programs, see host.h. */
#include "host.h"

#include <stdarg.h>

/* Notes of the running test; results printed, and failures among them. */
static u32 notes, results, failed;

void host_note(const char *file, int line, const char *format, ...)
{
	va_list args;

	if (++notes > 10)
		return;
	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

void host_plan(u32 n)
{
	printf("TAP version 13\n1..%u\n", n);
}

void host_result(const char *name)
{
	if (host_bytes()) {
		host_note(__FILE__, __LINE__, "%llu bytes are left over",
			  (unsigned long long)host_bytes());
		host_forget_bytes();
	}
	printf("%s %u - %s\n", notes ? "not ok" : "ok", ++results, name);
	fflush(stdout);
	failed += !!notes;
	notes = 0;
}

int host_done(void)
{
	return failed ? 1 : 0;
}
