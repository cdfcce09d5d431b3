/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs a table of kmod/tests on the host.
 */
#ifndef SHMZONE_CASES_MAIN_H
#define SHMZONE_CASES_MAIN_H

#include "host.h"
#include "../../kmod/tests/cases.h"

/**
 * host_run_cases() - run a table of cases, print their TAP lines
 * @play: plays the cases that are scripts
 */
static inline void host_run_cases(const struct core_case *cases, u32 n,
				  const char *(*play)(const void *script))
{
	u32 i;

	for (i = 0; i < n; i++) {
		CHECK_NULL(cases[i].run ? cases[i].run() : play(cases[i].script));
		host_result(cases[i].name);
	}
}

/**
 * host_cases_main() - a program that is one table of cases
 *
 * Returns the exit status.
 */
static inline int host_cases_main(const struct core_case *cases, u32 n,
				  const char *(*play)(const void *script))
{
	host_plan(n);
	host_run_cases(cases, n, play);
	return host_done();
}

#endif /* SHMZONE_CASES_MAIN_H */
