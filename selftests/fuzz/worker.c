// SPDX-License-Identifier: GPL-2.0
/*
 * A worker of the fuzzer: makes programs from what it has kept, runs them in a
 * child, keeps those that reached something new, and judges. A child runs many
 * programs, since a fork takes longer than a program on a kernel that watches
 * itself, but none after one that forks, starts a thread or gives up a right. A
 * finding is
 *
 *	- a program that is not gone half a minute after it began, which is long
 *	  after it was killed;
 *	- a kernel that marks itself as tainted;
 *	- after every so many programs: an allocator that contradicts itself
 *	  (debug builds only), or a zone that nothing can be allocated in.
 *
 * The last two are looked at now and then: a program shortly before is to blame.
 *
 * Which programs there are follows from the seed and from what was reached. All
 * zones but the worker's own are dropped from time to time, so that none starves
 * the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define KEPT_MAX	2048
#define PATIENCE	30.0
#define PROGRAM_US	300000
#define CHECK_EVERY	256

/* Shared with its children: what a child knew when it died is not lost. */
struct worker {
	const struct plan *plan;
	struct report *report;
	unsigned int number;
	char **seeds;
	int seed_count, next_seed;
	double end;
	bool well, done;
	bool running;			/* @current has begun and is not judged */
	struct program current;
	struct outcome outcome;
	__u64 random;
	int zone;
	int tainted;			/* /proc/sys/kernel/tainted */
	char taint[32];
	unsigned long next_check;
	unsigned int kept_count;
	struct program kept[KEPT_MAX];
};

static void finding(struct worker *worker, const char *what)
{
	worker->report->findings++;
	printf("# worker %u, program %lu: %s\n", worker->number,
	       worker->report->programs, what);
	printf("# the last program:\n");
	program_print(&worker->current, stdout);
	fflush(stdout);
}

/* The zone that all programs find under the name 0. */
static bool renew_zone(struct worker *worker)
{
	char name[NAME_BYTES];

	if (worker->zone >= 0)
		close(worker->zone);
	snprintf(name, sizeof(name), "%s0", name_prefix(worker->number));
	_try_unlink_zone(worker->plan->control, name);
	worker->zone = _try_create_named(worker->plan->control, name, 0666);
	return worker->zone >= 0;
}

/* The names that programs gave, cut short or not, but no other worker's. */
static void drop_names(struct worker *worker)
{
	struct shmzone_entry entries[64];
	char name[SHMZONE_NAME_MAX + 1];
	__u64 cursor = 0;
	int i, n;

	do {
		n = _try_list(worker->plan->control, &cursor, 64, entries);
		for (i = 0; i < n; i++) {
			const char *given = (const char *)entries[i].name;

			if (entries[i].name_len > 5 && !strncmp(given, "fuzz", 4) &&
			    given[5] == '-' && given[4] - '0' != (int)worker->number)
				continue;
			memcpy(name, given, entries[i].name_len);
			name[entries[i].name_len] = '\0';
			_try_unlink_zone(worker->plan->control, name);
		}
	} while (n > 0 && cursor);
}

static bool zone_usable(struct worker *worker)
{
	struct shmzone_stat stat;
	__u64 offset;

	if (_try_get_seals(worker->zone) & (SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT))
		return true;
	_try_set_limit(worker->zone, 0);
	if (_try_alloc(worker->zone, 100, 1, &offset) == 1)
		return _try_free_at(worker->zone, offset) == 1;
	/* What programs have taken is theirs, and may leave no room for a slab. */
	return !_try_stat(worker->zone, &stat) &&
	       stat.out_taken_bytes > stat.out_zone_bytes / 2;
}

static void check_zone(struct worker *worker)
{
	if (!zone_consistent(worker->zone))
		finding(worker, "the allocator contradicts itself");
	if (!zone_usable(worker))
		finding(worker, "the zone cannot be used any more");
	drop_names(worker);
	if (!renew_zone(worker))
		finding(worker, "no zone can be made any more");
}

static void watch_taint(struct worker *worker)
{
	char taint[sizeof(worker->taint)] = "";

	if (pread(worker->tainted, taint, sizeof(taint) - 1, 0) <= 0 ||
	    !strcmp(taint, worker->taint))
		return;
	if (worker->taint[0])
		finding(worker, "the kernel is tainted");
	strcpy(worker->taint, taint);
}

static void limits(void)
{
	struct rlimit none = { 0, 0 }, files = { 64, 64 };
	FILE *file = fopen("/proc/self/oom_score_adj", "w");

	/* Memory may run out; it is to be our doing, and our end. */
	if (file) {
		fputs("1000", file);
		fclose(file);
	}
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_NOFILE, &files);
}

static void save(const struct worker *worker)
{
	char path[512];
	FILE *file;

	if (!worker->plan->corpus)
		return;
	/* Named so that no run writes over what another one has kept. */
	snprintf(path, sizeof(path), "%s/%016llx", worker->plan->corpus,
		 program_hash(&worker->current));
	file = fopen(path, "w");
	if (!file)
		return;
	program_print(&worker->current, file);
	fclose(file);
}

/* After a program, whatever became of it: keep it if it is worth it. */
static void judge(struct worker *worker)
{
	if (coverage_end(&worker->current, &worker->outcome)) {
		worker->kept[worker->kept_count % KEPT_MAX] = worker->current;
		worker->kept_count++;
		worker->report->kept++;
		save(worker);
	}
	worker->report->pcs = coverage_pcs();
	worker->report->programs++;
	worker->report->calls += worker->outcome.done;
	worker->running = false;
}

static const struct program *any_kept(struct worker *worker)
{
	unsigned int n = worker->kept_count < KEPT_MAX ? worker->kept_count : KEPT_MAX;

	return &worker->kept[next_random(&worker->random) % n];
}

/* Processes take most of the time, so they are in one program of 64. */
static void remove_splits(struct program *program)
{
	unsigned int i, left = 0;

	for (i = 0; i < program->count; i++)
		if (!call_splits(program->calls[i].op))
			program->calls[left++] = program->calls[i];
	program->count = left;
}

static bool splits(const struct program *program)
{
	unsigned int i;

	for (i = 0; i < program->count; i++)
		if (call_splits(program->calls[i].op))
			return true;
	return false;
}

static void make_program(struct worker *worker)
{
	struct program *program = &worker->current;

	do {
		if (!worker->kept_count || next_random(&worker->random) % 8 == 0) {
			program_random(program, &worker->random);
		} else {
			*program = *any_kept(worker);
			program_mutate(program, any_kept(worker), &worker->random);
		}
		if (next_random(&worker->random) % 64)
			remove_splits(program);
	} while (!program->count);
}

/* @used: this process has run others before */
static bool read_program(struct worker *worker, const char *path, bool used)
{
	FILE *file = fopen(path, "r");
	bool ok = file && program_read(&worker->current, file);

	/* They may have left no descriptor or memory to read it with: another does. */
	if (!ok && used)
		_exit(0);
	if (file)
		fclose(file);
	if (!ok)
		printf("# %s is no program\n", path);
	return ok;
}

/* The next one: of the seeds first. */
static bool next_program(struct worker *worker, bool used)
{
	const struct plan *plan = worker->plan;

	if (worker->next_seed < worker->seed_count) {
		worker->well = read_program(worker, worker->seeds[worker->next_seed], used);
		worker->next_seed++;
		return worker->well;
	}
	if (now() >= worker->end)
		return false;
	if (plan->programs && worker->report->programs >= plan->programs)
		return false;
	make_program(worker);
	return true;
}

/* Whatever a program waits for, it is killed after this time. */
static void set_timer(long microseconds)
{
	struct itimerval timer = { .it_value.tv_usec = microseconds };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* A process that runs one program after the other, until it is worn out. */
static void run_programs(struct worker *worker)
{
	sigset_t none;
	int i;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	limits();
	if (!program_prepare(worker->plan->control, worker->zone))
		_exit(1);
	coverage_of_this_process();
	for (i = 0; i < CHECK_EVERY && next_program(worker, i); i++) {
		if (worker->plan->print) {
			printf("# worker %u, program %lu:\n", worker->number,
			       worker->report->programs);
			program_print(&worker->current, stdout);
			fflush(stdout);
		}
		worker->running = true;
		coverage_begin();
		set_timer(PROGRAM_US);
		program_run(&worker->current, &worker->outcome);
		/* Who has company is no longer alone in what it says. */
		if (splits(&worker->current))
			_exit(0);
		set_timer(0);
		judge(worker);
	}
	worker->done = i < CHECK_EVERY;
	_exit(0);
}

/*
 * Wait for all descendants, as long as there is progress. False if there is
 * none, and some are still there.
 */
static bool reap(struct worker *worker, pid_t pid, int *status)
{
	unsigned long programs = worker->report->programs;
	double end = now() + PATIENCE;
	sigset_t set;
	int other;
	pid_t ended;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		while ((ended = waitpid(-1, &other, WNOHANG)) > 0) {
			if (ended != pid)
				continue;
			*status = other;
			/* Who it started need not outlive it. */
			kill(-pid, SIGKILL);
		}
		if (ended < 0)
			return true;
		if (programs != worker->report->programs) {
			programs = worker->report->programs;
			end = now() + PATIENCE;
		}
		if (now() > end)
			return false;
		sigtimedwait(&set, NULL, &(struct timespec){ .tv_nsec = 100 * 1000 * 1000 });
	}
}

/* One such process, and what is to be said when it has ended. */
static void run_child(struct worker *worker)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		run_programs(worker);
	if (pid < 0 || !reap(worker, pid, &status)) {
		finding(worker, "the program hangs");
		kill(-pid, SIGKILL);
		if (!reap(worker, pid, &status))
			finding(worker, "the program cannot be killed");
	}
	if (worker->running)
		judge(worker);
	worker->report->killed += WIFSIGNALED(status);
	watch_taint(worker);
	if (worker->report->programs >= worker->next_check) {
		worker->next_check = worker->report->programs + CHECK_EVERY;
		check_zone(worker);
	}
}

static bool prepare(struct worker *worker)
{
	sigset_t set;

	/* Blocked, so that waiting for it misses none. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	names_init(worker->number);
	worker->tainted = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);
	watch_taint(worker);
	worker->zone = -1;
	return coverage_open() && renew_zone(worker);
}

bool worker_run(const struct plan *plan, unsigned int number, struct report *report,
		char **seeds, int count)
{
	struct worker *worker = mmap(NULL, sizeof(*worker), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (worker == MAP_FAILED)
		return false;
	worker->plan = plan;
	worker->report = report;
	worker->number = number;
	worker->seeds = seeds;
	worker->seed_count = count;
	worker->random = plan->seed * 1000003 + number;
	worker->end = now() + plan->seconds;
	worker->well = true;
	if (!prepare(worker))
		return false;
	while (!worker->done)
		run_child(worker);
	check_zone(worker);
	drop_names(worker);
	close(worker->zone);
	return worker->well && !report->findings;
}
