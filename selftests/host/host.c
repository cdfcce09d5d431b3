// SPDX-License-Identifier: GPL-2.0
/*
 * The host harness: locks that know their owner, allocations that can fail,
 * TAP.
 */
#include "host.h"

#include <malloc.h>
#include <stdarg.h>

static _Thread_local u32 locks_held;
static _Thread_local u32 fail_nth;
static _Thread_local bool fail_reached;
static _Thread_local u32 meanwhile_nth;
static _Thread_local void (*meanwhile_call)(void);
static _Atomic int64_t bytes_allocated;

void core_lock_init(struct core_lock *lock)
{
	memset(lock, 0, sizeof(*lock));
	pthread_mutex_init(&lock->mutex, NULL);
}

void core_lock(struct core_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	lock->owner = pthread_self();
	lock->held = true;
	locks_held++;
}

void core_unlock(struct core_lock *lock)
{
	core_assert_held(lock);
	lock->held = false;
	locks_held--;
	pthread_mutex_unlock(&lock->mutex);
}

void core_assert_held(const struct core_lock *lock)
{
	WARN_ON_ONCE(!lock->held || !pthread_equal(lock->owner, pthread_self()));
}

void host_fail_nth(u32 nth)
{
	fail_nth = nth;
	fail_reached = false;
}

bool host_failed(void)
{
	fail_nth = 0;
	return fail_reached;
}

void host_meanwhile(u32 nth, void (*call)(void))
{
	meanwhile_nth = nth;
	meanwhile_call = call;
}

u64 host_bytes(void)
{
	return bytes_allocated;
}

void *core_zalloc(size_t bytes)
{
	void *object;

	WARN_ON_ONCE(locks_held);	/* allocating may sleep */
	if (meanwhile_nth && !--meanwhile_nth)
		meanwhile_call();
	if (fail_nth && !--fail_nth) {
		fail_reached = true;
		return NULL;
	}
	object = calloc(1, bytes);
	if (!object) {
		fprintf(stderr, "the host is out of memory\n");
		exit(1);
	}
	bytes_allocated += malloc_usable_size(object);
	return object;
}

void core_free(const void *object)
{
	if (!object)
		return;
	bytes_allocated -= malloc_usable_size((void *)object);
	free((void *)object);
}

void *core_zalloc_array(size_t n, size_t bytes)
{
	return core_zalloc(n * bytes);
}

void core_free_array(const void *array)
{
	WARN_ON_ONCE(locks_held);	/* freeing these may sleep */
	core_free(array);
}

/* splitmix64 by Sebastiano Vigna, public domain. */
u64 host_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Notes of the running test; results printed, and failures among them. */
static u32 notes, results, failed;

void host_note(const char *file, int line, const char *format, ...)
{
	va_list args;

	if (++notes > 10)
		return;
	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

void host_plan(u32 n)
{
	printf("TAP version 13\n1..%u\n", n);
}

void host_result(const char *name)
{
	if (host_bytes()) {
		host_note(__FILE__, __LINE__, "%llu bytes are left over",
			  (unsigned long long)host_bytes());
		bytes_allocated = 0;
	}
	printf("%s %u - %s\n", notes ? "not ok" : "ok", ++results, name);
	fflush(stdout);
	failed += !!notes;
	notes = 0;
}

int host_done(void)
{
	return failed ? 1 : 0;
}
