/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of zones, each broken once: rules.c tries what the other files have,
 * as whoever and wherever one can be.
 */
#ifndef SHMZONE_SELFTESTS_RULES_H
#define SHMZONE_SELFTESTS_RULES_H

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "utils.h"

#define RW		(PROT_READ | PROT_WRITE)
#define PLACE_BYTES	(4 * MIB)

/* What a rule is broken with. Each time it is new, and a process's own. */
struct place {
	int control;
	int zone;		/* of PLACE_BYTES, limited to half of it */
	int reader;		/* the same, read-only */
	char name[64];		/* its name, mode 0600 */
	__u64 object;		/* of 100 bytes */
	int parameter;		/* the parameter of the rule, for writing */
};

/* What comes of it: 0, -errno, or one of these. */
#define SIGNAL(n)	(-(140 + (n)))
#define NO_EVENT	(-180)
#define NO_PLACE	(-181)
#define WRONG		(-182)

struct rule {
	const char *name;
	int result;
	int (*break_it)(struct place *place, int arg);
	int arg;
	/* A ceiling: from it root is exempt, outside of user namespaces. */
	const char *parameter;
};

/* Each ends with a rule without a name. */
extern const struct rule name_rules[];
extern const struct rule right_rules[];
extern const struct rule limit_rules[];
extern const struct rule kind_rules[];
extern const struct rule owner_rules[];
extern const struct rule wait_rules[];
extern const struct rule root_rules[];
extern const struct rule seal_rules[];

/* 0 or -errno of a mapping. */
static inline int mapped(const void *map)
{
	return map == MAP_FAILED ? -errno : 0;
}

/* The signal that a touch raised, if one. */
static inline int signalled(int signal)
{
	return signal ? SIGNAL(signal) : 0;
}

#endif /* SHMZONE_SELFTESTS_RULES_H */
