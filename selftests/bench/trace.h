/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs ask malloc() for: as it is recorded, and as it is replayed.
 */
#ifndef SHMZONE_BENCH_TRACE_H
#define SHMZONE_BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum trace_op {
	TRACE_TAKE,
	TRACE_TAKE_ZEROED,
	TRACE_TAKE_ALIGNED,
	TRACE_RESIZE,
	TRACE_DROP,
};

/* Records at most: a minute of a busy program. */
#define RAW_MAX		4000000U

/* As record.c writes them: addresses. */
struct raw_record {
	uint64_t object;
	uint64_t old;
	uint32_t bytes;
	uint8_t op;
	uint8_t align_shift;
	uint16_t thread;
};

struct raw {
	uint64_t records;
	struct raw_record record[RAW_MAX];
};

/**
 * struct trace_step - as they are kept: objects have numbers
 * @object: its number, which another one has after it is gone
 * @bytes: how many are wanted, at least 1; 0 for TRACE_DROP
 * @op: what is done
 * @align_shift: TRACE_TAKE_ALIGNED: to which power of two
 * @thread: number of the thread that did it
 */
struct trace_step {
	uint32_t object;
	uint32_t bytes;
	uint8_t op;
	uint8_t align_shift;
	uint16_t thread;
};

/**
 * struct trace - a program's life with malloc()
 * @magic: TRACE_MAGIC
 * @steps: how many
 * @objects: numbers are below that
 * @live_bytes: what is live at its end
 */
struct trace {
	uint64_t magic;
	uint64_t steps;
	uint64_t objects;
	uint64_t live_bytes;
	struct trace_step step[];
};

#define TRACE_MAGIC	0x315a54484d4853ULL

#define TRACES	4

extern const char *const trace_names[TRACES];

/**
 * trace_get() - the trace of one of the programs
 *
 * Recorded now unless there is one. Returns NULL if the program cannot be run.
 */
const struct trace *trace_get(uint32_t index);

#endif /* SHMZONE_BENCH_TRACE_H */
