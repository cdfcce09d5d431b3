/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows that are measured in a guest.
 */
#ifndef SHMZONE_BENCH_GUEST_H
#define SHMZONE_BENCH_GUEST_H

#include "bench.h"

/* The option that says that this is the guest. */
#define GUEST_OPTION	"--guest"

extern bool in_guest;

/* An emulated guest is slow: how often to do what is done @n times elsewhere. */
static inline u32 guest_fewer(u32 n)
{
	return in_guest ? n / 16 : n;
}

/* Rows that there may be. */
#define GUEST_ROWS	32

/* Whether a row of that name is one. */
bool guest_has(const char *name);

/**
 * guest_run() - have rows measured in a guest
 * @names: their names
 * @n: how many
 * @failed: set to whether one did, or the guest
 *
 * Returns the figures of those that did not.
 */
json_t *guest_run(const char *const *names, u32 n, bool *failed);

#endif /* SHMZONE_BENCH_GUEST_H */
