/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The harness of the benchmarks.
 *
 * A row is one thing to be measured, with a name that stays. It runs in a
 * process of its own and hands in figures, each of which may stand beside that
 * of a peer, and may have a bar that it is to reach:
 *
 *	watch.c		a stopwatch that also counts instructions
 *	rounds.c	sides measured in alternation, and what follows from it
 *	report.c	figures become JSON, and JSON becomes the table
 *	machine.c	where and with what this was measured
 *	main.c		selects rows, runs each, sums up
 *
 * Rounds. The same program's median can move by a quarter from one run to the
 * next, so sides are compared in one run only: every round measures each side
 * once, in random order, and a ratio is the median of the rounds' own ratios.
 *
 * Noise. The median of n rounds lies, at 95 %, between two of the sorted
 * values, whatever their distribution. A bar between these two is neither
 * reached nor missed: the machine was too noisy to tell. Neither is one on a
 * time that the fastest round reached.
 */
#ifndef SHMZONE_BENCH_H
#define SHMZONE_BENCH_H

#include "core_env.h"

#include <jansson.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Ends the program, or the row, with a sentence on standard error. */
void bench_die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* The same for what can only be a mistake in the benchmark itself. */
#define BENCH_ASSERT(condition) do {						\
	if (!(condition))							\
		bench_die("%s:%d: %s", __FILE__, __LINE__, #condition);		\
} while (0)

void *bench_calloc(size_t n, size_t bytes);

/* watch.c */

/**
 * struct watch - a stopwatch
 * @ns: time so far; in a counted guest that is instructions, see guest.c
 * @instructions: user instructions so far
 * @ops: operations these were for
 * @start_ns: when it was started
 * @start_instructions: the count then
 *
 * May be started and stopped several times; what starting and stopping itself
 * costs is subtracted.
 */
struct watch {
	double ns;
	double instructions;
	u64 ops;
	double start_ns;
	u64 start_instructions;
};

/**
 * watch_init() - open the counter and find out what the watch itself costs
 *
 * To be called once in each process that measures. A kernel that refuses to
 * count is no failure: watch_counts() is then false. In a counted guest it is
 * true without a counter.
 */
void watch_init(void);
bool watch_counts(void);
void watch_start(struct watch *watch);
void watch_stop(struct watch *watch, u64 ops);

/* Moments on the same clock, and what it counts: "ns" or "instr". */
double watch_now(void);
const char *watch_unit(void);

/* rounds.c */

#define ROUNDS_MAX	101

/**
 * struct side - one of the things that are compared
 * @round: does some operations between watch_start() and watch_stop()
 * @arg: its argument
 */
struct side {
	void (*round)(struct watch *watch, void *arg);
	void *arg;
};

/**
 * struct sample - what the rounds of a side gave, for one operation each
 */
struct sample {
	double ns[ROUNDS_MAX];
	double instructions[ROUNDS_MAX];
	u32 rounds;
};

/**
 * struct estimate - a median and how sure it is
 * @median: the median, NAN if there is nothing
 * @min: the smallest value
 * @low: lower end of the median's 95 % interval
 * @high: upper end
 */
struct estimate {
	double median;
	double min;
	double low;
	double high;
};

/* How many rounds rounds_run() makes. */
extern u32 rounds_wanted;

/**
 * rounds_run() - measure sides in alternation
 * @sides: the sides
 * @samples: one for each, filled
 * @n: how many
 *
 * The first round is not counted.
 */
void rounds_run(const struct side *sides, struct sample *samples, u32 n);

struct estimate estimate_of(const double *values, u32 n);
struct estimate estimate_ratio(const double *values, const double *peer_values, u32 n);

/* Of something that has no noise, and of nothing. */
struct estimate estimate_exact(double value);
struct estimate estimate_none(void);

/* report.c */

enum bar_of {
	BAR_NONE,
	BAR_OF_VALUE,
	BAR_OF_RATIO,
};

/**
 * struct figure - one line of the table
 * @where: where it was measured, and what exactly
 * @value: the figure
 * @unit: its unit
 * @instructions: user instructions of an operation, or NAN
 * @peer: what it stands beside, or NULL
 * @peer_value: the peer's figure
 * @ratio: value to peer's value
 * @peer_instructions: as @instructions
 * @rounds: how often it was measured
 * @bar_of: which of them has a bar
 * @bar: what it must not exceed
 * @lacks: why there is no figure, or NULL
 */
struct figure {
	const char *where;
	struct estimate value;
	const char *unit;
	double instructions;
	const char *peer;
	struct estimate peer_value;
	struct estimate ratio;
	double peer_instructions;
	u32 rounds;
	enum bar_of bar_of;
	double bar;
	const char *lacks;
};

/* A figure without value, to be filled in. */
struct figure figure_none(const char *where, const char *unit);

/* A figure from a side's rounds, in nanoseconds for an operation. */
struct figure figure_of(const char *where, const struct sample *sample);

/**
 * figure_beside() - set another side of the same rounds beside it
 * @figure: made by figure_of()
 * @sample: what it was made of
 * @peer: the other side's name
 * @peer_sample: its rounds
 */
void figure_beside(struct figure *figure, const struct sample *sample, const char *peer,
		   const struct sample *peer_sample);

/* The same for a figure that was measured once. */
void figure_beside_exact(struct figure *figure, const char *peer, double value);

void figure_bar(struct figure *figure, enum bar_of bar_of, double bar);

/**
 * report() - hand in a figure of the running row
 */
void report(const struct figure *figure);

/* What main.c does with what was handed in. */
void report_begin(const char *row);
json_t *report_end(void);
void report_print_head(void);
void report_print(const json_t *figures);
void report_print_sum(const json_t *figures);

/* machine.c */

/* Prints a few lines. */
void machine_print(void);

/* guest.c */

/* "emulated, WHAT" or "KVM, WHAT", until the next call. */
const char *guest_where(const char *what);

/* rows.c */

/**
 * struct row - a thing to be measured
 * @name: its name, which never changes
 * @run: measures it and hands in figures
 * @arg: for rows that are alike
 */
struct row {
	const char *name;
	void (*run)(u64 arg);
	u64 arg;
};

extern const struct row rows[];
extern const u32 row_count;

#endif /* SHMZONE_BENCH_H */
