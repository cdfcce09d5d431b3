// SPDX-License-Identifier: GPL-2.0
/* The page bitmap, in the kernel. */
#include "core_kunit.h"

#include "../core/bits.c"
#include "../core/pages.c"
#include "../core/pages_check.c"
#include "../core/pages_look.c"

#include "pages_cases.h"

KUNIT_ARRAY_PARAM(pages, pages_cases, core_case_describe);

static void pages_case(struct kunit *test)
{
	core_case_run(test, pages_play);
}

static struct kunit_case pages_kunit_cases[] = {
	KUNIT_CASE_PARAM(pages_case, pages_gen_params),
	{}
};

static struct kunit_suite pages_suite = {
	.name = "shmzone_pages",
	.test_cases = pages_kunit_cases,
};
kunit_test_suite(pages_suite);

MODULE_DESCRIPTION("KUnit tests of shmzone's page bitmap");
MODULE_LICENSE("GPL");
