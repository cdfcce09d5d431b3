// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The zone of the process, and the early area.
 *
 * Whoever finds no zone creates one. Who comes by meanwhile, be it this very
 * thread from within the library, is served from the early area.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>

#include "heap.h"

#define ZONE_BYTES	(64ULL << 30)
#define EARLY_BYTES	(256 * 1024)

/* An object of the early area begins with its size, in so many bytes. */
#define EARLY_HEAD	16

struct heap heap = { .creating = ATOMIC_FLAG_INIT };

static _Alignas(4096) char early[EARLY_BYTES];
static _Atomic size_t early_used;

/* Without stdio, which allocates. */
static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

void heap_die(const char *what, int error)
{
	say("libshmzone-malloc: ");
	say(what);
	if (error) {
		say(": ");
		say(strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
	}
	say("\n");
	abort();
}

/* The early area. */

void *early_alloc(size_t align, size_t bytes)
{
	size_t whole = bytes + align + EARLY_HEAD;
	size_t at;
	char *object;

	if (bytes > EARLY_BYTES || align > EARLY_BYTES)
		return NULL;
	at = atomic_fetch_add(&early_used, (whole + 15) & ~(size_t)15);
	if (at + whole > EARLY_BYTES)
		return NULL;
	object = early + at + EARLY_HEAD;
	object += -(uintptr_t)object & (align - 1);
	memcpy(object - EARLY_HEAD, &bytes, sizeof(bytes));
	return object;
}

static size_t early_usable(const char *object)
{
	size_t bytes;

	memcpy(&bytes, object - EARLY_HEAD, sizeof(bytes));
	return bytes;
}

size_t other_usable(const void *object)
{
	const struct inherited *from;
	uintptr_t offset = (uintptr_t)object - (uintptr_t)early;
	size_t page = sysconf(_SC_PAGESIZE);
	uint32_t usable;

	if (offset < EARLY_BYTES)
		return early_usable(object);
	for (from = heap.inherited; from; from = from->next) {
		offset = (uintptr_t)object - (uintptr_t)from->base;
		if (offset >= from->bytes)
			continue;
		usable = from->usable[offset / page];
		if (usable & INHERITED_SPAN)
			return (usable & ~INHERITED_SPAN) * page;
		if (usable)
			return usable;
	}
	heap_die("a pointer that malloc() never gave", 0);
}

/* The zone. */

/* A number of bytes, as 64G; @otherwise if the variable is not set. */
static uint64_t bytes_from(const char *variable, uint64_t otherwise)
{
	static const char units[] = "KMGT";
	const char *text = getenv(variable), *unit;
	uint64_t bytes;
	char *end;

	if (!text || !*text)
		return otherwise;
	bytes = strtoull(text, &end, 0);
	unit = *end ? strchr(units, *end) : NULL;
	if (!bytes || (*end && (!unit || end[1])))
		heap_die(variable, EINVAL);
	return unit ? bytes << (10 * (unit - units + 1)) : bytes;
}

/* "NAME.PID", or NULL. Not by snprintf(), which may allocate. */
static const char *zone_name(char *name, size_t bytes)
{
	const char *given = getenv("SHMZONE_MALLOC_NAME");
	char digits[24], *first = digits + sizeof(digits) - 1;
	pid_t pid = getpid();

	if (!given || !*given)
		return NULL;
	*first = 0;
	for (; pid; pid /= 10)
		*--first = '0' + pid % 10;
	if (strlen(given) + 1 + strlen(first) >= bytes)
		heap_die("SHMZONE_MALLOC_NAME", ENAMETOOLONG);
	return strcat(strcat(strcpy(name, given), "."), first);
}

static struct shmz *create(void)
{
	struct shmz_options options = {
		.size = sizeof(options),
		.limit = bytes_from("SHMZONE_MALLOC_LIMIT", 0),
	};
	char name[SHMZONE_NAME_MAX + 1];
	struct shmz *zone;

	zone = shmz_create(zone_name(name, sizeof(name)),
			   bytes_from("SHMZONE_MALLOC_BYTES", ZONE_BYTES), &options);
	if (!zone)
		heap_die("no zone could be created", errno);
	return zone;
}

struct shmz *heap_create(void)
{
	int saved = errno;
	struct shmz *zone;

	if (atomic_flag_test_and_set(&heap.creating))
		return NULL;
	zone = atomic_load(&heap.zone);
	if (!zone) {
		zone = create();
		heap.base = shmz_base(zone);
		heap.bytes = shmz_size(zone);
		atomic_store(&heap.top, (uintptr_t)heap.base);
		atomic_store(&heap.zone, zone);
	}
	atomic_flag_clear(&heap.creating);
	errno = saved;
	return zone;
}

/*
 * First of all handlers: so prepare comes after all others' that may still
 * allocate, and what a child does comes before theirs.
 */
__attribute__((constructor(101))) static void begin(void)
{
	if (pthread_atfork(fork_prepare, fork_parent, fork_child))
		heap_die("fork cannot be watched", ENOMEM);
}
