// SPDX-License-Identifier: GPL-2.0
/*
 * What some kselftest programs share: a child in steps, see step.h.
 */
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "step.h"

/* No child takes more than that, or it goes round in circles. */
#define INSTRUCTIONS_MAX	1000000

void step_here(void)
{
	/* raise() would add the instructions that restore the signal mask. */
	syscall(SYS_kill, getpid(), SIGSTOP);
}

pid_t step_start(int (*function)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(127);
		_exit(function(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	/* So that it is not left behind if its tracer fails. */
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
	return pid;
}

/* One step of that kind of ptrace's; false if it ended instead. */
static bool go_on(enum __ptrace_request kind, pid_t child)
{
	int status;

	return !ptrace(kind, child, 0, 0) && waitpid(child, &status, 0) == child &&
	       WIFSTOPPED(status);
}

unsigned long step(pid_t child, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (!go_on(PTRACE_SINGLESTEP, child))
			break;
	}
	return i;
}

bool step_to_call(pid_t child)
{
	return go_on(PTRACE_SYSCALL, child);
}

void step_kill(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/**
 * struct step_way - the way that children take
 * @count: instructions
 * @pc: where each is
 * @from: the one before each, or it itself, that the way had not come by earlier
 */
struct step_way {
	unsigned long count;
	unsigned long pc[INSTRUCTIONS_MAX];
	unsigned int from[INSTRUCTIONS_MAX];
};

/* Breakpoints are for this architecture alone; others go in steps all the way. */
#ifdef __x86_64__

#define HAS_BREAKPOINTS	true
#define BREAKPOINT	0xccUL

static unsigned long get_pc(pid_t child)
{
	return ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, regs.rip), 0);
}

/* Let it run to @pc; false if it did not come by, and is no more or will not be. */
static bool run_to(pid_t child, unsigned long pc)
{
	unsigned long text = ptrace(PTRACE_PEEKTEXT, child, pc, 0);
	int status;

	if (ptrace(PTRACE_POKETEXT, child, pc, (text & ~0xffUL) | BREAKPOINT) ||
	    ptrace(PTRACE_CONT, child, 0, 0) ||
	    waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return false;
	if (WSTOPSIG(status) == SIGTRAP && get_pc(child) == pc + 1 &&
	    !ptrace(PTRACE_POKETEXT, child, pc, text) &&
	    !ptrace(PTRACE_POKEUSER, child, offsetof(struct user, regs.rip), pc))
		return true;
	step_kill(child);
	return false;
}

#else

#define HAS_BREAKPOINTS	false

static unsigned long get_pc(pid_t child)
{
	return 0;
}

static bool run_to(pid_t child, unsigned long pc)
{
	return true;
}

#endif

static bool comes_by_earlier(const struct step_way *way, unsigned long at)
{
	unsigned long i;

	for (i = 0; i < at; i++)
		if (way->pc[i] == way->pc[at])
			return true;
	return false;
}

static unsigned long write_down(struct step_way *way, pid_t child)
{
	unsigned long at;

	for (at = 0; at < INSTRUCTIONS_MAX; at++) {
		way->pc[at] = get_pc(child);
		way->from[at] = at;
		if (at && comes_by_earlier(way, at))
			way->from[at] = way->from[at - 1];
		if (!step(child, 1))
			break;
	}
	way->count = at;
	return at;
}

/* How many it took: fewer than @at if it has ended. */
static unsigned long take(struct step_sweep *sweep, pid_t child, unsigned long at)
{
	const struct step_way *way = sweep->way;
	unsigned long from = 0;

	if (way)
		from = way->from[at];
	if (from && !run_to(child, way->pc[from]))
		return 0;
	return from + step(child, at - from);
}

/* One child that takes @at instructions, if it has as many. */
static unsigned long run(struct step_sweep *sweep, unsigned long at, bool *goes_on)
{
	bool first = !sweep->instructions, ended = false;
	unsigned long taken;
	pid_t child;

	*goes_on = !sweep->before || sweep->before(sweep->arg);
	if (!*goes_on)
		return 0;
	child = step_start(sweep->function, sweep->arg);
	*goes_on = child > 0;
	if (!*goes_on)
		return 0;
	taken = first && sweep->way ? write_down(sweep->way, child) :
				      take(sweep, child, at);
	if (taken < at) {
		if (sweep->steady)
			*goes_on = sweep->after(sweep->arg, taken);
		return taken;
	}
	if (sweep->stopped)
		*goes_on = sweep->stopped(sweep->arg, child, sweep->instructions, &ended);
	if (!ended)
		step_kill(child);
	sweep->kills++;
	*goes_on &= sweep->after(sweep->arg, at);
	return taken;
}

/* One to its end tells how many instructions there are, and how long the others take. */
static bool measure(struct step_sweep *sweep)
{
	double start = seconds(), all;
	unsigned long taken;
	bool goes_on;

	sweep->kills = 0;
	sweep->strays = 0;
	sweep->instructions = 0;
	sweep->instructions = run(sweep, INSTRUCTIONS_MAX, &goes_on);
	all = (seconds() - start) * sweep->instructions / 2;
	if (!goes_on || sweep->kills)
		return false;
	if (sweep->steady) {
		start = seconds();
		taken = run(sweep, sweep->instructions / 2, &goes_on);
		all = (seconds() - start) * sweep->instructions;
		sweep->strays += taken < sweep->instructions / 2;
	}
	sweep->stride = 1 + (unsigned long)(all / sweep->seconds);
	/* At one at least, however slow it is. */
	if (sweep->stride > sweep->instructions)
		sweep->stride = sweep->instructions;
	return goes_on;
}

static bool sweep_through(struct step_sweep *sweep)
{
	unsigned long at, taken;
	bool goes_on;

	if (!measure(sweep))
		return false;
	srand(getpid());
	for (at = rand() % sweep->stride;; at += sweep->stride) {
		if (sweep->steady && at > sweep->instructions)
			return true;
		taken = run(sweep, at, &goes_on);
		if (!goes_on)
			return false;
		if (taken < at && !sweep->steady)
			return true;
		sweep->strays += taken < at;
	}
}

bool step_sweep(struct step_sweep *sweep)
{
	cpu_set_t before, one;
	bool ended;

	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	sweep->way = sweep->steady && HAS_BREAKPOINTS ? malloc(sizeof(*sweep->way)) : NULL;
	ended = sweep_through(sweep);
	free(sweep->way);
	sweep->way = NULL;
	sched_setaffinity(0, sizeof(before), &before);
	return ended;
}
