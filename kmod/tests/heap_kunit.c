// SPDX-License-Identifier: GPL-2.0
/* The heap and its directory, in the kernel. */
#include "core_kunit.h"

#include "../core/bits.c"
#include "../core/class.c"
#include "../core/dir.c"
#include "../core/heap.c"
#include "../core/heap_change.c"
#include "../core/heap_check.c"
#include "../core/heap_free.c"
#include "../core/heap_kin.c"
#include "../core/heap_look.c"
#include "../core/heap_owned.c"
#include "../core/heap_owner.c"
#include "../core/heap_idle.c"
#include "../core/heap_mem.c"
#include "../core/heap_run.c"
#include "../core/heap_stat.c"
#include "../core/pages.c"
#include "../core/pages_check.c"
#include "../core/pages_look.c"
#include "../core/slots.c"

#include "dir_cases.h"
#include "heap_table.h"
#include "owner_table.h"

KUNIT_ARRAY_PARAM(dir, dir_cases, core_case_describe);
KUNIT_ARRAY_PARAM(heap, heap_cases, core_case_describe);
KUNIT_ARRAY_PARAM(owner, owner_cases, core_case_describe);

static void dir_case(struct kunit *test)
{
	core_case_run(test, dir_play);
}

static void heap_case(struct kunit *test)
{
	core_case_run(test, heap_play);
}

static void owner_case(struct kunit *test)
{
	core_case_run(test, NULL);
}

static struct kunit_case heap_kunit_cases[] = {
	KUNIT_CASE_PARAM(dir_case, dir_gen_params),
	KUNIT_CASE_PARAM(heap_case, heap_gen_params),
	KUNIT_CASE_PARAM(owner_case, owner_gen_params),
	{}
};

static int heap_suite_init(struct kunit_suite *suite)
{
	return heap_caches_create();
}

static void heap_suite_exit(struct kunit_suite *suite)
{
	heap_caches_destroy();
}

static struct kunit_suite heap_suite = {
	.name = "shmzone_heap",
	.test_cases = heap_kunit_cases,
	.suite_init = heap_suite_init,
	.suite_exit = heap_suite_exit,
};
kunit_test_suite(heap_suite);

MODULE_DESCRIPTION("KUnit tests of shmzone's heap");
MODULE_LICENSE("GPL");
