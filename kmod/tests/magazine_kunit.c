// SPDX-License-Identifier: GPL-2.0
/* The magazines, in the kernel. */
#include "core_kunit.h"

#include "../core/class.c"
#include "../core/magazine.c"

#include "magazine_cases.h"

KUNIT_ARRAY_PARAM(magazine, magazine_cases, core_case_describe);

static void magazine_case(struct kunit *test)
{
	core_case_run(test, NULL);
}

static struct kunit_case magazine_kunit_cases[] = {
	KUNIT_CASE_PARAM(magazine_case, magazine_gen_params),
	{}
};

static struct kunit_suite magazine_suite = {
	.name = "shmzone_magazine",
	.test_cases = magazine_kunit_cases,
};
kunit_test_suite(magazine_suite);

MODULE_DESCRIPTION("KUnit tests of shmzone's magazines");
MODULE_LICENSE("GPL");
