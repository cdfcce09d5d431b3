/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Other allocators, each in a process of its own.
 */
#ifndef SHMZONE_BENCH_PEER_H
#define SHMZONE_BENCH_PEER_H

#include "churn.h"

/* The option that makes this program a peer; only peer.c knows the rest. */
#define PEER_OPTION	"--peer"

/**
 * struct peer - an allocator for programs
 * @name: its name
 * @library: what to preload, or NULL for glibc
 */
struct peer {
	const char *name;
	const char *library;
};

#define PEERS	4

extern const struct peer peers[PEERS];

/**
 * struct residence - what lives, and what it keeps resident
 * @live: bytes requested and live
 * @resident: bytes of memory
 * @kernel: bytes of kernel memory for it, 0 for peers
 */
struct residence {
	u64 live;
	u64 resident;
	u64 kernel;
};

/* The moments of a churn that are looked at. */
enum moment {
	MOMENT_FULL,		/* filled once */
	MOMENT_STEADY,		/* after all the replacements */
	MOMENT_SHRUNK,		/* nine of ten freed, all given back that can be */
	MOMENTS
};

/**
 * peer_churn() - let a peer live a churn
 * @residence: filled, for each moment
 *
 * Returns false if it did not, as when it is not installed.
 */
bool peer_churn(const struct peer *peer, enum churn_sizes sizes, u64 seed,
		struct residence residence[MOMENTS]);

/* What the peer's process does. */
int peer_main(char **args);

#endif /* SHMZONE_BENCH_PEER_H */
