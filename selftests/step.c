// SPDX-License-Identifier: GPL-2.0
/*
 * What some kselftest programs share: a child in steps, see step.h.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
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

/* One child that takes @at instructions, if it has as many. */
static unsigned long run(struct step_sweep *sweep, unsigned long at, bool *goes_on)
{
	unsigned long taken;
	bool ended = false;
	pid_t child;

	*goes_on = !sweep->before || sweep->before(sweep->arg);
	if (!*goes_on)
		return 0;
	child = step_start(sweep->function, sweep->arg);
	*goes_on = child > 0;
	if (!*goes_on)
		return 0;
	taken = step(child, at);
	if (taken < at)
		return taken;
	if (sweep->stopped)
		*goes_on = sweep->stopped(sweep->arg, child, sweep->instructions, &ended);
	if (!ended)
		step_kill(child);
	sweep->kills++;
	*goes_on &= sweep->after(sweep->arg, at);
	return taken;
}

bool step_sweep(struct step_sweep *sweep)
{
	double all, start = seconds();
	unsigned long at;
	bool goes_on;

	/* One to its end tells how long the others will take, half of it each. */
	sweep->kills = 0;
	sweep->instructions = run(sweep, INSTRUCTIONS_MAX, &goes_on);
	if (!goes_on || sweep->kills)
		return false;
	all = (seconds() - start) * sweep->instructions / 2;
	sweep->stride = 1 + (unsigned long)(all / sweep->seconds);

	srand(getpid());
	/* At one at least, however slow it is. */
	if (sweep->stride > sweep->instructions)
		sweep->stride = sweep->instructions;
	for (at = rand() % sweep->stride;; at += sweep->stride) {
		unsigned long taken = run(sweep, at, &goes_on);

		if (!goes_on)
			return false;
		if (taken < at)
			return true;
	}
}
