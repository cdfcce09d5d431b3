// SPDX-License-Identifier: GPL-2.0
/* The slots, in the kernel. */
#include "core_kunit.h"

#include "../core/class.c"
#include "../core/slots.c"

#include "slots_cases.h"

KUNIT_ARRAY_PARAM(slots, slots_cases, core_case_describe);

static void slots_case(struct kunit *test)
{
	core_case_run(test, NULL);
}

static struct kunit_case slots_kunit_cases[] = {
	KUNIT_CASE_PARAM(slots_case, slots_gen_params),
	{}
};

static struct kunit_suite slots_suite = {
	.name = "shmzone_slots",
	.test_cases = slots_kunit_cases,
};
kunit_test_suite(slots_suite);

MODULE_DESCRIPTION("KUnit tests of shmzone's slots");
MODULE_LICENSE("GPL");
