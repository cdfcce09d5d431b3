/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whole pages for benchmarks, see fast.c.
 */
#ifndef SHMZONE_HOST_FAST_H
#define SHMZONE_HOST_FAST_H

#include "core_env.h"

/* A page, zeroed. */
void *fast_page(void);

/* Returns whether it was one, and is free now. */
bool fast_page_free(const void *object);

#endif /* SHMZONE_HOST_FAST_H */
