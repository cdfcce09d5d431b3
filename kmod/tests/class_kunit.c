// SPDX-License-Identifier: GPL-2.0
/* The size classes, in the kernel. */
#include "core_kunit.h"

#include "../core/class.c"

#include "class_cases.h"

KUNIT_ARRAY_PARAM(class, class_cases, core_case_describe);

static void class_case(struct kunit *test)
{
	core_case_run(test, NULL);
}

static struct kunit_case class_kunit_cases[] = {
	KUNIT_CASE_PARAM(class_case, class_gen_params),
	{}
};

static struct kunit_suite class_suite = {
	.name = "shmzone_class",
	.test_cases = class_kunit_cases,
};
kunit_test_suite(class_suite);

MODULE_DESCRIPTION("KUnit tests of shmzone's size classes");
MODULE_LICENSE("GPL");
