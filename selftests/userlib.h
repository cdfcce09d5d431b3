/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share that go through the library. To be included after
 * kselftest_harness.h.
 */
#ifndef SHMZONE_SELFTESTS_USERLIB_H
#define SHMZONE_SELFTESTS_USERLIB_H

#include <errno.h>

#include "utils.h"

#include <shmzone.h>

/* NULL and that errno. */
#define is_null(error, call)						\
do {									\
	errno = 0;							\
	ASSERT_EQ(NULL, (call));					\
	ASSERT_EQ(error, errno);					\
} while (0)

/* Not NULL, and errno as it was. */
#define not_null(call)							\
({									\
	void *_result;							\
									\
	errno = EXDEV;							\
	_result = (call);						\
	ASSERT_NE(NULL, _result);					\
	ASSERT_EQ(EXDEV, errno);					\
	_result;							\
})

/* A negative errno value, and errno as it was. */
#define is_error(error, call)						\
do {									\
	errno = EXDEV;							\
	ASSERT_EQ(-(error), (call));					\
	ASSERT_EQ(EXDEV, errno);					\
} while (0)

static inline __u64 live_objects(struct shmz *zone)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };

	return shmz_stat(zone, &stat) ? UINT64_MAX : stat.out_live_objects;
}

#endif /* SHMZONE_SELFTESTS_USERLIB_H */
