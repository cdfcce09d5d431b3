/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows that are measured in a guest: see guest.c.
 */
#ifndef SHMZONE_BENCH_GUEST_H
#define SHMZONE_BENCH_GUEST_H

#include "bench.h"

/* The options that say that this is the guest, and that it is a counted one. */
#define GUEST_OPTION	"--guest"
#define COUNTED_OPTION	"--counted"

extern bool in_guest;

/* Whether times are numbers of instructions, the kernel's among them. */
extern bool guest_counted;

/* Whether it is not emulated, so that times mean what they mean elsewhere. */
bool guest_is_native(void);

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
