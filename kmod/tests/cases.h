/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test cases of the core that run in the kernel and on the host alike.
 *
 * A case is a name that says the situation and a function that returns NULL or
 * a sentence that says what went wrong. KUnit suites here and the programs in
 * selftests/host run the same tables.
 */
#ifndef SHMZONE_TESTS_CASES_H
#define SHMZONE_TESTS_CASES_H

#include "../core/core_env.h"

/* A scenario may have this many steps. */
#define CASE_STEPS	24

/**
 * struct core_case - a test case
 * @name: the situation
 * @run: for cases that are a function
 * @script: for cases that are a table of steps; passed to the suite's player
 */
struct core_case {
	const char *name;
	const char *(*run)(void);
	const void *script;
};

#define CASE_STRING_1(x)	#x
#define CASE_STRING(x)		CASE_STRING_1(x)

/* Ends the case with a sentence unless the condition holds. */
#define REQUIRE(condition) do {						\
	if (!(condition))						\
		return "line " CASE_STRING(__LINE__) ": not so: " #condition;	\
} while (0)

/* The same for what answers with NULL or a sentence. */
#define REQUIRE_NULL(expression) do {					\
	const char *require_text = (expression);			\
									\
	if (require_text)						\
		return require_text;					\
} while (0)

/* Pseudo-random numbers, the same on every machine (xorshift64). */
static inline u64 case_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif /* SHMZONE_TESTS_CASES_H */
