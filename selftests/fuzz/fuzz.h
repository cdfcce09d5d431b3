/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of the fuzzer of the raw ABI. fuzz.c says what it does.
 *
 *	program.c	programs: making, changing, writing and reading them
 *	calls.c		the table of calls, and one program's execution
 *	commands.c	the commands of the ABI, field by field
 *	values.c	what the small numbers in a program stand for
 *	coverage.c	what of the module a program reached
 *	worker.c	one process that makes programs and judges them
 */
#ifndef SHMZONE_SELFTESTS_FUZZ_H
#define SHMZONE_SELFTESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <linux/shmzone.h>

#include "../crowd.h"

#define CALLS_MAX	24
#define ARGS_MAX	12
#define WORKERS_MAX	8

/*
 * A call of a program: its number in the table of calls and its arguments. What
 * an argument stands for depends on the call; 0 is always what makes sense most,
 * and anything else is valid too, as a program.
 */
struct call {
	uint8_t op;
	uint16_t args[ARGS_MAX];
};

struct program {
	unsigned int count;
	struct call calls[CALLS_MAX];
};

/* program.c */
void program_random(struct program *program, __u64 *random);
void program_mutate(struct program *program, const struct program *other,
		    __u64 *random);
unsigned long long program_hash(const struct program *program);
void program_print(const struct program *program, FILE *to);
bool program_read(struct program *program, FILE *from);

/* calls.c */
unsigned int call_kinds(void);
const char *call_name(unsigned int op);
int call_number(const char *name);
unsigned int call_args(unsigned int op);
unsigned int call_weight(unsigned int op);

/*
 * What a program says of itself while it runs, in memory shared with its
 * worker: the error of each call that ended, or 0, and how many did.
 */
struct outcome {
	unsigned int done;
	uint8_t errors[CALLS_MAX];
};

/* Whether a call leaves the process in a state that no reset ends. */
bool call_splits(unsigned int op);

/* Runs it in this process, once that is made ready. */
bool program_prepare(int control, int zone);
void program_run(const struct program *program, struct outcome *outcome);

/* commands.c */
unsigned int command_count(void);
const char *command_name(unsigned int number);
unsigned int command_args(unsigned int number);
long command_run(unsigned int number, const uint16_t *args);

/* values.c: a process that runs a program has one state. */
#define FDS_MAX		16
#define MAPS_MAX	8
#define OFFSETS_MAX	64

struct map {
	char *at;
	size_t bytes;
};

struct state {
	int fds[FDS_MAX];		/* 0 is the control descriptor */
	unsigned int newest;		/* zone descriptor */
	struct map maps[MAPS_MAX];
	unsigned int newest_map;
	uint64_t offsets[OFFSETS_MAX];	/* that ALLOC gave */
	unsigned int newest_offset;
};

extern struct state state;

#define NAMES		12

bool state_init(int control, int zone);
void state_reset(void);
void state_add_fd(int fd);
void state_add_map(void *at, size_t bytes);
void state_add_offset(uint64_t offset);
int fd_value(uint16_t raw, bool control);
struct map *map_value(uint16_t raw);
uint64_t number_value(uint16_t raw, uint64_t otherwise);
uint64_t object_value(uint16_t raw);
/* Where a structure, an array to read or to fill, and a name may lie. */
void *structure_value(uint16_t raw);
void *from_value(uint16_t raw);
void *to_value(uint16_t raw);
void *name_value(uint16_t raw, uint64_t *length);
void names_init(unsigned int worker);
const char *name_prefix(unsigned int worker);

/* Names of the zones: what they begin with, and the worker's own zone. */
#define NAME_BYTES	32

/* calls.c: whether it could be copied; either side may be out of reach. */
bool guarded_copy(void *to, const void *from, size_t bytes);

/* coverage.c */
bool coverage_open(void);
void coverage_of_this_process(void);
void coverage_begin(void);
/* How many features of this program no earlier one of this worker had. */
unsigned int coverage_end(const struct program *program,
			  const struct outcome *outcome);
unsigned int coverage_pcs(void);
void coverage_share(uint8_t *all);
size_t coverage_bytes(void);

/* What workers tell the main process. */
struct report {
	unsigned long programs, calls, kept, killed, findings;
	unsigned int pcs;
};

struct plan {
	uint64_t seed;
	unsigned long programs;		/* for each worker; 0: no bound */
	double seconds;
	const char *corpus;		/* where to write what is kept, or NULL */
	bool print;
	int control;
};

/* worker.c: true if nothing was found. */
bool worker_run(const struct plan *plan, unsigned int worker,
		struct report *report, char **seeds, int count);

#endif /* SHMZONE_SELFTESTS_FUZZ_H */
