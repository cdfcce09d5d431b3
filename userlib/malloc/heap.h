/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Internals of libshmzone-malloc: the heap of a process that knows nothing of
 * zones.
 *
 *	LD_PRELOAD=libshmzone-malloc.so PROGRAM
 *
 * Where memory comes from, in the order in which a pointer is looked for:
 *
 * The zone of the process, created at the first allocation.
 *
 * Inherited memory. What the heap of a process has at fork(2) belongs to the
 * parent's zone, which is shared: the child would write into its parent's
 * objects. So the child gets a private copy, at the same addresses, and a zone
 * of its own for what it allocates; see fork.c. What was inherited can be used,
 * read and written; freeing it gives nothing back.
 *
 * The early area, static, for what is allocated while the zone is being created:
 * by the library itself, and by whoever is called in between. Nothing is ever
 * given back to it.
 *
 * A pointer from nowhere, and a free that the kernel refuses, end the program
 * with a message, as glibc ends it.
 *
 * Limits. An alignment of more than a page is EINVAL. A child made by clone(2)
 * itself, or by _Fork(), shares its parent's heap, as fork's handlers do not run:
 * it may do no more than one of vfork(2), which with posix_spawn(3) is the same
 * case and harmless. fork() copies what is allocated, by the page, and takes
 * accordingly long. While glibc forks a program with several threads, it resets
 * the locks of all streams in the child, before the handlers: a thread of the
 * parent that has one of them locked at that moment loses its lock. Programs that
 * bring a malloc() of their own, or are statically linked, are not reached.
 *
 * Environment variables, looked at when a zone is created:
 *
 *	SHMZONE_MALLOC_BYTES	size of the zone, with K, M, G or T (64G)
 *	SHMZONE_MALLOC_LIMIT	its limit (its size)
 *	SHMZONE_MALLOC_NAME	a name to look at it by, to which "." and the
 *				process's number are added (none)
 */
#ifndef LIBSHMZONE_MALLOC_HEAP_H
#define LIBSHMZONE_MALLOC_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shmzone.h"

/*
 * struct inherited - memory of a process that this one was forked from
 * @next: of that one's parent
 * @base: where it is, and where the parent's zone was
 * @bytes: its length
 * @mapped_bytes: of this structure and the table
 * @usable: for each page what an object in it may use: bytes of a slot, or, with
 *	    INHERITED_SPAN, pages of a span that begins there
 */
struct inherited {
	struct inherited *next;
	char *base;
	size_t bytes;
	size_t mapped_bytes;
	uint32_t usable[];
};

#define INHERITED_SPAN	(1U << 31)

/*
 * struct heap - the process's heap
 * @zone: its zone, or NULL as long as there is none
 * @base: where the zone is
 * @bytes: its size
 * @top: no object reaches beyond it
 * @inherited: of its parent, its parent's parent ...
 * @creating: a thread is creating the zone
 */
struct heap {
	struct shmz *_Atomic zone;
	char *base;
	size_t bytes;
	_Atomic uintptr_t top;
	struct inherited *inherited;
	atomic_flag creating;
};

extern struct heap heap;

/* The zone; NULL only to who creates it, or is in its way. */
struct shmz *heap_zone(void);

/* heap_zone() for when there is none. */
struct shmz *heap_create(void);

/* To be called with whatever object is given out. */
void *heap_note(void *object, size_t bytes);

static inline bool heap_has(const void *object)
{
	return (uintptr_t)object - (uintptr_t)heap.base < heap.bytes;
}

/* What may be used of an object that is not the zone's. Ends the program. */
size_t other_usable(const void *object);

/* From the early area, aligned to 16 or more. */
void *early_alloc(size_t align, size_t bytes);

/* Says so on standard error, and ends the program. */
void heap_die(const char *what, int error) __attribute__((noreturn));

/* fork.c */
void fork_prepare(void);
void fork_parent(void);
void fork_child(void);

#endif
