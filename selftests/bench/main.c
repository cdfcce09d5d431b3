// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmarks: runs the rows whose names begin with a prefix, each in a
 * process of its own, so that none finds the memory of another; prints the
 * table and writes the same as JSON.
 *
 *	bench [--json FILE] [--rounds N] [PREFIX]...
 *
 * A bar that is missed is a figure like any other; only a row that ends without
 * handing in its figures makes the program fail.
 */
#include "bench.h"
#include "guest.h"
#include "peer.h"
#include "rows.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

void bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

void *bench_calloc(size_t n, size_t bytes)
{
	volatile char *memory = calloc(n, bytes);
	size_t i;

	if (!memory)
		bench_die("out of memory");
	/* So that its pages are no part of what is measured. */
	for (i = 0; i < n * bytes; i += PAGE_SIZE)
		memory[i] = 0;
	return (void *)memory;
}

static void *parked(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/*
 * While a process has a single thread, locks and glibc's malloc leave out what
 * they only need with several: a second one makes them do what they are for.
 */
static void become_threaded(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, parked, NULL))
		bench_die("no thread can be made");
}

static void row_child(const struct row *row, int fd)
{
	become_threaded();
	watch_init();
	report_begin(row->name);
	row->run(row->arg);
	if (json_dumpfd(report_end(), fd, 0))
		bench_die("%s: its figures cannot be handed over", row->name);
	/* Several allocators' last words do not go together. */
	fflush(NULL);
	_exit(0);
}

/* Returns the figures, or NULL for a row that failed. */
static json_t *row_run(const struct row *row)
{
	json_t *figures;
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		bench_die("no pipe");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		bench_die("no process");
	if (!pid)
		row_child(row, fds[1]);
	close(fds[1]);
	figures = json_loadfd(fds[0], 0, NULL);
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (status && figures) {
		json_decref(figures);
		figures = NULL;
	}
	return figures;
}

static bool selected(const char *name, char *const *prefixes)
{
	if (!*prefixes)
		return true;
	for (; *prefixes; prefixes++)
		if (!strncmp(name, *prefixes, strlen(*prefixes)))
			return true;
	return false;
}

/* All rows for a guest at once. Returns 1 if any failed. */
static u32 run_guest(const char *const *names, u32 n, json_t *all)
{
	bool failed;
	json_t *figures = guest_run(names, n, &failed);

	report_print(figures);
	if (failed)
		printf("vm.*\n  not all of these were measured\n");
	json_array_extend(all, figures);
	json_decref(figures);
	return failed;
}

/* Returns how many rows failed. */
static u32 run_rows(char *const *prefixes, json_t *all)
{
	u32 i, n = 0, chosen = 0, failed = 0;
	const char *guests[GUEST_ROWS];
	json_t *figures;

	for (i = 0; i < row_count; i++) {
		if (!selected(rows[i].name, prefixes))
			continue;
		chosen++;
		if (guest_has(rows[i].name) && !in_guest) {
			guests[n++] = rows[i].name;
			continue;
		}
		figures = row_run(&rows[i]);
		if (!figures) {
			printf("%s\n  failed\n", rows[i].name);
			failed++;
			continue;
		}
		report_print(figures);
		json_array_extend(all, figures);
		json_decref(figures);
	}
	BENCH_ASSERT(n <= GUEST_ROWS);
	if (!chosen)
		bench_die("there is no such row");
	if (n)
		failed += run_guest(guests, n, all);
	return failed;
}

static const struct option options[] = {
	{ "json", required_argument, NULL, 'j' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "guest", no_argument, NULL, 'g' },
	{ "counted", no_argument, NULL, 'c' },
	{}
};

/*
 * Allocators that are loaded into a running process (allocator.c) may need more
 * thread-local storage than is left over unless it is asked for in time.
 */
static void make_room_for_tls(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536", 1);
	execv("/proc/self/exe", argv);
	bench_die("it cannot be started anew");
}

int main(int argc, char **argv)
{
	const char *json = NULL;
	json_t *all = json_array();
	u32 failed;
	int option;

	if (argc > 1 && !strcmp(argv[1], PEER_OPTION))
		return peer_main(argv + 2);
	make_room_for_tls(argv);
	if (argc > 3 && !strcmp(argv[1], RESIDENT_OPTION))
		return resident_main(argv + 2);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			json = optarg;
		else if (option == 'r')
			rounds_wanted = min_t(u32, max(atoi(optarg), 1), ROUNDS_MAX);
		else if (option == 'g')
			in_guest = true;
		else if (option == 'c')
			guest_counted = true;
		else
			return 2;
	}

	machine_print();
	printf("\n");
	report_print_head();
	failed = run_rows(argv + optind, all);
	printf("\n");
	report_print_sum(all);
	if (json && json_dump_file(all, json, JSON_INDENT(1) | JSON_REAL_PRECISION(6)))
		bench_die("%s cannot be written", json);
	return failed ? 1 : 0;
}
