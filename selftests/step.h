/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A child that is stepped through its instructions, and killed at any of them.
 *
 * The child runs a function, which does what need not be stepped and then calls
 * step_here(). From there on it goes one instruction at a time, as its tracer, the
 * process that started it, says. A system call is one instruction: the tracer
 * waits for as long as it takes.
 *
 * A sweep runs the function again and again, each time in a new child, and kills
 * that one instruction later than the one before, until a child gets to its end.
 * What takes too long for that, as with emulated processors, is killed at every
 * so manyth instruction, beginning with a random one: within the seconds given.
 *
 * Where all children take the same way, the first one's is written down, and the
 * others run to a breakpoint, put where that way first comes by, and go in steps
 * from there alone. One that did not come by goes on to its end, as a stray.
 *
 * Tracer and child share a processor meanwhile: waking another one for each step
 * takes ten times as long, where that is emulated.
 */
#ifndef SHMZONE_SELFTESTS_STEP_H
#define SHMZONE_SELFTESTS_STEP_H

#include <stdbool.h>
#include <sys/types.h>

/* In the child: from here on in steps. */
void step_here(void);

/* A child that has come to step_here(); -1 if it did not. */
pid_t step_start(int (*function)(void *arg), void *arg);

/* Up to @n instructions; how many it took before it ended. */
unsigned long step(pid_t child, unsigned long n);

/* To where a system call begins or ends; false if it ended instead. */
bool step_to_call(pid_t child);

/* Kill it wherever it is. Not for children that step() saw end. */
void step_kill(pid_t child);

struct step_sweep {
	int (*function)(void *arg);
	void *arg;
	/* Before each child; may be NULL. All return false to end the sweep. */
	bool (*before)(void *arg);
	/*
	 * Where it stops; may be NULL. It may take it further, by up to @instructions,
	 * and tells whether that was its end.
	 */
	bool (*stopped)(void *arg, pid_t child, unsigned long instructions, bool *ended);
	/*
	 * After each child that was killed, which has taken @at instructions; and
	 * after the strays.
	 */
	bool (*after)(void *arg, unsigned long at);
	double seconds;
	/* All take the same way, unless something outside keeps them from it. */
	bool steady;

	/* What came of it: kills, the instructions of a child that got to its end. */
	unsigned long kills;
	unsigned long instructions;
	unsigned long stride;
	unsigned long strays;

	/* The way, of those that are steady. */
	struct step_way *way;
};

/* True if a child got to its end, and nothing else ended the sweep. */
bool step_sweep(struct step_sweep *sweep);

#endif /* SHMZONE_SELFTESTS_STEP_H */
