/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What some kselftest programs share: a memory cgroup of their own.
 */
#ifndef SHMZONE_SELFTESTS_GROUP_H
#define SHMZONE_SELFTESTS_GROUP_H

#include <stdbool.h>

#include "utils.h"

/* One with a limit (0: none), in place of the last one; false: there are no groups. */
bool make_group(unsigned long long bytes);

/* From now on the calling process's memory is the group's. */
bool join_group(void);
/* The same, as somebody else, who need not have the right to. */
bool join_group_as(const struct identity *who);

/* How often the group was out of memory so that somebody had to be killed. */
long group_kills(void);

/* What of its memory is the kernel's; -1 if that cannot be told. */
long long group_kernel_bytes(void);

void end_group(void);

#endif /* SHMZONE_SELFTESTS_GROUP_H */
