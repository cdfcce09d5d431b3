/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The matrix: what a process can do to a mapping of a zone, by area and by kind
 * of descriptor. matrix.c tries the actions of the other files and compares
 * with the table in README.md.
 */
#ifndef SHMZONE_SELFTESTS_MATRIX_H
#define SHMZONE_SELFTESTS_MATRIX_H

#include <signal.h>
#include <sys/mman.h>

#include "utils.h"

#define RW		(PROT_READ | PROT_WRITE)

/*
 * Where an action acts. It has a process of its own, which ends after it, and
 * one mapping.
 */
struct cell {
	char *map;		/* the first half of the area, aligned to 2 MiB */
	size_t bytes;		/* mapped there */
	char *at;		/* the page that shows the object; of caches, an empty one */
	size_t page;
	__u64 start;		/* of @map, for mmap */
	__u64 offset;		/* of @at */
	int prot;		/* it was mapped with this */
	bool page_map;
	bool caches;
	bool writable;
	bool strict;
	int fd;			/* what was mapped */
	int zone;		/* a descriptor for reading and writing */
	__u64 object;
};

/* The last page of the mapping: of no object, and nobody has touched it. */
static inline char *hole_of(const struct cell *c)
{
	return c->map + c->bytes - c->page;
}

/* A part that can be unmapped: caches are mapped as a whole only. */
static inline int unmap_part(const struct cell *c)
{
	return c->caches ? munmap(c->map, c->bytes) : munmap(hole_of(c), c->page);
}

/* What was mapped once more, in its place: the page of ->at, of caches all. */
static inline void *map_over(const struct cell *c, int prot, int flags, int fd)
{
	if (c->caches)
		return mmap(c->map, c->bytes, prot, MAP_SHARED | MAP_FIXED | flags, fd,
			    c->start);
	return mmap(c->at, c->page, prot, MAP_SHARED | MAP_FIXED | flags, fd, c->offset);
}

/* The signal that touching what is of no object raises, or 0. */
static inline int hole_signal(const struct cell *c)
{
	return c->strict ? SIGBUS : 0;
}

/* What may be written, and where: at this place behind ->at, no more. */
#define SCRIBBLE_AT	64
#define SCRIBBLE	"scribble"
#define SCRIBBLE_BYTES	8

static inline char *scribble_at(const struct cell *c)
{
	return c->at + SCRIBBLE_AT;
}

static inline bool is_scribbled(const struct cell *c)
{
	return !memcmp(scribble_at(c), SCRIBBLE, SCRIBBLE_BYTES);
}

/* What an action gives: 0 is "yes", -errno the error, and beyond the errnos: */
#define ABSENT		(-250)	/* this machine has no such thing */
#define NO		(-251)	/* no error, but it has no effect */
#define WRONG		(-252)	/* something else is wrong; stderr says what */

struct action {
	const char *name;	/* as README.md calls it */
	int (*act)(const struct cell *c, int arg);
	int arg;
	bool alone;		/* nobody else has a descriptor of the zone */
};

/* Each ends with an action without a name. */
extern const struct action placing[];
extern const struct action memory[];
extern const struct action advice[];
extern const struct action access_by_others[];
extern const struct action processes[];
extern const struct action descriptor[];

/* -errno of a system call that gives -1, and 0 otherwise. */
#define result_of(x)	((x) == -1 ? -errno : 0)

/* A flag of a VMA, as /proc/PID/smaps abbreviates it; false without the VMA. */
bool vma_has(const void *address, const char *flag);

int _wrong(const char *what);

/* A process that stands still under ptrace, with the same mapping; or -1. */
pid_t start_peer(void);
void end_peer(pid_t pid);

#endif /* SHMZONE_SELFTESTS_MATRIX_H */
