/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Controls of the host harness, and TAP output for its programs.
 */
#ifndef SHMZONE_HOST_H
#define SHMZONE_HOST_H

#include "core_env.h"

/**
 * host_fail_nth() - make an allocation of this thread fail
 * @nth: 1 for the next one, 0 for none
 */
void host_fail_nth(u32 nth);

/**
 * host_failed() - whether it was reached; also ends waiting for it
 */
bool host_failed(void);

/**
 * host_contend() - make every nth attempt to take a lock at once fail
 * @nth: 0 for none
 */
void host_contend(u32 nth);

/**
 * host_meanwhile() - call a function in an allocation of this thread
 * @nth: 1 for the next one, 0 for none
 * @call: what another thread might do at that moment
 *
 * As the core holds no lock there, anything may happen meanwhile.
 */
void host_meanwhile(u32 nth, void (*call)(void));

/* Bytes allocated through the core's environment and not freed. */
u64 host_bytes(void);
void host_forget_bytes(void);

/* The size of the objects of a cache; with HOST_FAST. */
size_t host_cache_bytes(const struct kmem_cache *cache);

/* Pseudo-random numbers, the same on every machine. */
u64 host_random(u64 *state);

/**
 * host_plan() - begin: print the plan line of TAP
 */
void host_plan(u32 n);

/**
 * host_result() - end a test: print its TAP line
 * @name: names the situation
 *
 * The test failed if anything was noted since the last one, or if memory
 * that it allocated through the core's environment is left over.
 */
void host_result(const char *name);

/**
 * host_done() - the exit status
 */
int host_done(void);

/* Notes that the running test failed, and goes on. */
void host_note(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define CHECK(condition) do {						\
	if (!(condition))						\
		host_note(__FILE__, __LINE__, "%s", #condition);	\
} while (0)

#define CHECK_EQ(a, b) do {						\
	u64 check_a = (u64)(a), check_b = (u64)(b);			\
									\
	if (check_a != check_b)						\
		host_note(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #a,	\
			  (long long)check_a, (long long)check_b, #b);	\
} while (0)

/* For what answers with NULL or a sentence that says what is wrong. */
#define CHECK_NULL(expression) do {					\
	const char *check_text = (expression);				\
									\
	if (check_text)							\
		host_note(__FILE__, __LINE__, "%s", check_text);	\
} while (0)

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#endif /* SHMZONE_HOST_H */
