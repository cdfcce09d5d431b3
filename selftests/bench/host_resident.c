// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is resident when a pattern ends, beside what is live.
 *
 * Each allocator has a process for itself, which executes this program anew and
 * goes through some rounds of a pattern. Nothing is given back before one looks:
 * stocks of threads, free pages that were not returned yet and, of a zone, what
 * the kernel would have for it are all in it. The process's own tables have been
 * touched before.
 */
#include "allocator.h"
#include "pattern.h"
#include "rows.h"
#include "trace.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS		5
#define ASKED		5	/* processes */
#define RESIDENT_BAR	1.1

/* Traces come after these. */
#define PATTERN_LIVE	0
#define PATTERN_LARSON	1
#define PATTERN_TRACES	2

static const struct pattern *pattern_of(u64 which)
{
	if (which == PATTERN_LIVE)
		return &pattern_live;
	return which == PATTERN_LARSON ? &pattern_larson : &pattern_trace;
}

/* Threads of larson, or a trace. */
static u64 argument_of(u64 which)
{
	if (which == PATTERN_LARSON)
		return 2;
	return which < PATTERN_TRACES ? 0 : which - PATTERN_TRACES;
}

/* In the process of its own. */

static u64 kilobytes(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	if (!line)
		bench_die("/proc/self/smaps_rollup says nothing of %s", key + 1);
	return strtoull(line + strlen(key), NULL, 10);
}

/* All but files. Does not allocate. */
static u64 resident_bytes(void)
{
	char text[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[max(n, 0)] = 0;
	return 1024 * (kilobytes(text, "\nPss_Anon:") + kilobytes(text, "\nPss_Shmem:") -
		       kilobytes(text, "\nLazyFree:"));
}

int resident_main(char **args)
{
	u32 index = atoi(args[0]);
	u64 which = strtoull(args[1], NULL, 10), before;
	const struct pattern *pattern = pattern_of(which);
	const struct allocator *allocator;
	struct watch watch = {};
	void *arg;
	u32 i;

	/*
	 * Nobody gets huge pages: what stands in for the kernel's memory asks for them, for
	 * the sake of time.
	 */
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		bench_die("huge pages cannot be switched off");
	allocator = allocator_load(index, 1);
	if (!allocator)
		return 1;
	arg = pattern->begin(allocator, argument_of(which));
	printf("\n");
	fflush(stdout);
	before = resident_bytes();
	for (i = 0; i < ROUNDS; i++)
		pattern->rounds[!index](&watch, arg);
	printf("%llu %llu\n", (unsigned long long)pattern->live_bytes(arg),
	       (unsigned long long)(resident_bytes() - before));
	fflush(stdout);
	/* As the rows do. */
	_exit(0);
}

/* Outside. */

/* Resident to live, or 0. */
static double ask_once(u32 index, u64 which)
{
	unsigned long long live = 0, resident = 0;
	char command[128];
	int read;
	FILE *pipe;

	snprintf(command, sizeof(command), "exec /proc/%d/exe " RESIDENT_OPTION " %u %llu",
		 getpid(), index, (unsigned long long)which);
	fflush(NULL);
	pipe = popen(command, "r");
	if (!pipe)
		bench_die("no process");
	read = fscanf(pipe, "%llu %llu", &live, &resident);
	if (pclose(pipe) || read != 2 || !live)
		return 0;
	return (double)resident / live;
}

/* The median: where there are threads it is another one each time. */
static double ask(u32 index, u64 which)
{
	double answers[ASKED];
	u32 i;

	for (i = 0; i < ASKED; i++)
		answers[i] = ask_once(index, which);
	return estimate_of(answers, ASKED).median;
}

void host_resident(u64 which)
{
	double ratio[ALLOCATORS];
	struct figure figure;
	u32 i, best = 0;

	if (which >= PATTERN_TRACES && !trace_get(which - PATTERN_TRACES))
		bench_die("there is no trace");
	for (i = 0; i < ALLOCATORS; i++) {
		ratio[i] = ask(i, which);
		if (i && ratio[i] && (!best || ratio[i] < ratio[best]))
			best = i;
	}
	for (i = 1; i < ALLOCATORS; i++) {
		figure = figure_none("native", "live");
		figure.peer = peers[i - 1].name;
		if (!ratio[0] || !ratio[i]) {
			figure.lacks = allocator_lacks(ratio[0] ? i : 0);
			report(&figure);
			continue;
		}
		figure.value = estimate_exact(ratio[0]);
		figure_beside_exact(&figure, peers[i - 1].name, ratio[i]);
		if (i == best)
			figure_bar(&figure, BAR_OF_RATIO, RESIDENT_BAR);
		report(&figure);
	}
}
