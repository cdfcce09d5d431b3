/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of kill.c share: what the processes have in common, and who they
 * are, the victims and the clients who are never killed.
 */
#ifndef SHMZONE_SELFTESTS_KILL_H
#define SHMZONE_SELFTESTS_KILL_H

#include "caches.h"
#include "crowd.h"

#define ZONE_BYTES	(256 * MIB)
#define CLIENTS		4
#define THREADS		2
#define RECORD		64
#define BATCH		16
/* What goes from hand to hand: of a class that is in nobody's cache. */
#define HANDED_BYTES	300

/* What a thread of a victim has, and whether it is in a call. */
struct thread {
	__u64 record[RECORD];
	unsigned int inside;
	unsigned int calls;
};

/*
 * Of one client, in zones with owners: objects on their way, each under its offset
 * from before it is given, and once it is on offer.
 */
struct hands {
	__u64 offered, offerer;		/* by a victim, for the client to take */
	__u64 gift;			/* of a victim, to the client */
	__u64 nobodys;			/* of a victim, to nobody, for any victim to take */
	__u64 lent;			/* by the client, for any victim to take */
	unsigned long taken, lost;	/* by the client, and by it to victims */
};

struct shared {
	int zone, control;
	char *data;
	__u32 kind;
	struct thread threads[THREADS];
	/* Of the victim, as a client: it maps caches anew at times. */
	__u64 ids[2];
	/* Of those who are never killed. */
	__u64 client_ids[CLIENTS];
	struct hands hands[CLIENTS];
	unsigned int held[CLIENTS];
	unsigned int resting[CLIENTS];
	unsigned long operations[CLIENTS];
	unsigned int rest;		/* a number: of the rest to be taken */
	bool end;
	struct wrong wrong;
};

/* There nothing is lost, nor is there anything left. */
bool is_owned(const struct shared *shared);

/* kill_victims.c: works until it is killed, after a while, by itself. */
int victim(struct shared *shared, __u64 seed);

/* kill_clients.c: works until it is told to end. */
int client(struct shared *shared, unsigned int number);

#endif /* SHMZONE_SELFTESTS_KILL_H */
