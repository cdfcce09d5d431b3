/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of soak.c share: what the workers have, where it outlives them, and
 * who there is, the workers and the prober.
 */
#ifndef SHMZONE_SELFTESTS_SOAK_H
#define SHMZONE_SELFTESTS_SOAK_H

#include "caches.h"
#include "crowd.h"

#define WORKERS		4
#define HELD		96
#define BATCH		16
#define WAYS		8
#define ZONE_BYTES	(1 * GIB)
#define ROOT_NAME	"soak"

/* What one worker has; offset 0 is no object. */
struct record {
	__u64 offsets[HELD][BATCH];
};

/* On its way from hand to hand: what @client offers, or what was given to nobody. */
struct way {
	__u64 offset, client;
};

struct shared {
	struct record records[WORKERS];
	struct way offers[WAYS], nobodys[WAYS];
	unsigned long operations[WORKERS], taken;
	unsigned long probes;
	double slowest_probe;
	__u32 kind;
	bool over;
	struct wrong wrong;
};

extern struct shared *shared;
extern int control;
/* Of the zone. */
extern char name[32];

/* Remember what went wrong first, and stop all. */
void wrong(const char *what, long ret);

/* There nothing is lost, nor is there anything left. */
bool is_owned(void);

/* soak_work.c */
pid_t start_worker(int number, __u64 seed);
pid_t start_prober(int zone, char *data);

#endif /* SHMZONE_SELFTESTS_SOAK_H */
