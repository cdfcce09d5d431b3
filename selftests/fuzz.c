// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzing the raw ABI: programs of commands, mappings, touches, processes,
 * threads and kills, with values that make sense mixed with hostile ones, made
 * at random and from those that reached something new. fuzz/worker.c says what a
 * finding is; beside that, whoever runs this looks at the kernel's log, and here
 * no zone may be left in the end.
 *
 *	fuzz			the seeds of fuzz/seeds and what SHMZONE_CORPUS has, then
 *				more, for a while
 *	fuzz FILE...		these programs alone, once each
 *
 * SHMZONE_SECONDS and SHMZONE_PROGRAMS bound it, what comes first; SHMZONE_SEED is
 * the seed (1), SHMZONE_WORKERS the number of workers (2), SHMZONE_CORPUS a
 * directory of the programs that were kept. SHMZONE_PRINT=1 prints each program
 * before it runs, for when the kernel does not live to tell.
 */
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "utils.h"
#include "fuzz/fuzz.h"

/*
 * The seeds lie with the sources, beside the directory of builds; what was kept by an
 * earlier run, perhaps on another kernel, comes after them.
 */
static void find_seeds(glob_t *seeds, const char *corpus)
{
	char path[PATH_MAX], program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n < 0 ? 0 : n] = '\0';
	snprintf(path, sizeof(path), "%s/../../selftests/fuzz/seeds/*", dirname(program));
	if (glob(path, 0, NULL, seeds))
		seeds->gl_pathc = 0;
	if (!corpus)
		return;
	snprintf(path, sizeof(path), "%s/*", corpus);
	glob(path, seeds->gl_pathc ? GLOB_APPEND : 0, NULL, seeds);
}

/* What the main process and its workers share. */
struct shared {
	struct report reports[WORKERS_MAX];
	bool well[WORKERS_MAX];
	uint8_t reached[];
};

static void become_worker(const struct plan *plan, struct shared *shared,
			  unsigned int number, char **seeds, int count)
{
	shared->well[number] = worker_run(plan, number, &shared->reports[number],
					  seeds, count);
	coverage_share(shared->reached);
	fflush(stdout);
	_exit(0);
}

static void tell(const struct shared *shared, unsigned int workers, double start)
{
	struct report sum = { 0 };
	unsigned int i;

	for (i = 0; i < workers; i++) {
		const struct report *report = &shared->reports[i];

		sum.programs += report->programs;
		sum.calls += report->calls;
		sum.kept += report->kept;
		sum.killed += report->killed;
		sum.findings += report->findings;
		if (report->pcs > sum.pcs)
			sum.pcs = report->pcs;
	}
	ksft_print_msg("%.0f s: %lu programs, %lu calls, %lu ended by a signal, %lu kept, ",
		       now() - start, sum.programs, sum.calls, sum.killed, sum.kept);
	printf("%u places by the best worker, %lu findings\n", sum.pcs, sum.findings);
}

/* Tells every minute how far they are, until all have ended. */
static bool watch(const struct shared *shared, unsigned int workers)
{
	double start = now(), next = start + 60;
	unsigned int left = workers, i;
	bool well = true;

	while (left) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			left--;
		else
			usleep(100000);
		if (now() < next)
			continue;
		tell(shared, workers, start);
		next += 60;
	}
	tell(shared, workers, start);
	for (i = 0; i < workers; i++)
		well = well && shared->well[i];
	return well;
}

int main(int argc, char **argv)
{
	unsigned int workers = number_of("SHMZONE_WORKERS", 2), i;
	size_t bytes = sizeof(struct shared) + coverage_bytes(), reached = 0, at;
	struct shmzone_info info;
	struct shared *shared;
	struct plan plan = {
		.seed = number_of("SHMZONE_SEED", 1),
		.seconds = number_of("SHMZONE_SECONDS", kernel_debugs() ? 20 : 8),
		.corpus = getenv("SHMZONE_CORPUS"),
		.print = number_of("SHMZONE_PRINT", 0),
		.control = _try_control(),
	};
	glob_t seeds = { 0 };
	bool well;

	ksft_print_header();
	ksft_set_plan(2);
	if (argc > 1) {
		plan.seconds = 0;
		workers = 1;
	} else {
		find_seeds(&seeds, plan.corpus);
	}
	if (workers < 1 || workers > WORKERS_MAX)
		workers = 1;
	plan.programs = number_of("SHMZONE_PROGRAMS", 0) / workers;
	shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED || _try_info(plan.control, &info))
		ksft_exit_fail_msg("no memory, or no /dev/shmzone\n");
	fflush(stdout);
	for (i = 0; i < workers; i++)
		if (!fork())
			become_worker(&plan, shared, i, argc > 1 ? argv + 1 : seeds.gl_pathv,
				      argc > 1 ? argc - 1 : (int)seeds.gl_pathc);
	well = watch(shared, workers);
	for (at = 0; at < coverage_bytes(); at++)
		reached += shared->reached[at];
	ksft_print_msg("seed %llu: %zu places of the module reached%s\n",
		       (unsigned long long)plan.seed, reached,
		       reached ? "" : ", as far as one can tell without KCOV");
	ksft_test_result(well, "fuzz: no program hangs or breaks anything\n");
	ksft_test_result(zones_become(plan.control, info.out_zones),
			 "fuzz: no zone is left\n");
	ksft_finished();
}
