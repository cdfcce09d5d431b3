/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a table of cases (cases.h) to a KUnit suite. Included first, as the
 * tables use short macro names; the sources under test follow as a whole.
 */
#ifndef SHMZONE_TESTS_CORE_KUNIT_H
#define SHMZONE_TESTS_CORE_KUNIT_H

#include <kunit/test.h>
#include <linux/module.h>

#include "cases.h"

static inline void core_case_describe(const struct core_case *core_case, char *text)
{
	strscpy(text, core_case->name, KUNIT_PARAM_DESC_SIZE);
}

/* @play plays the cases that are scripts, or is NULL. */
static inline void core_case_run(struct kunit *test, const char *(*play)(const void *script))
{
	const struct core_case *core_case = test->param_value;
	const char *error;

	error = core_case->run ? core_case->run() : play(core_case->script);
	if (error)
		KUNIT_FAIL(test, "%s: %s", core_case->name, error);
}

#endif /* SHMZONE_TESTS_CORE_KUNIT_H */
