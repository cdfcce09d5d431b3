// SPDX-License-Identifier: GPL-2.0
/*
 * Records what a program asks malloc() for.
 *
 *	SHMZONE_RECORD=FILE LD_PRELOAD=record.so PROGRAM
 *
 * The file is mapped and written to as things happen, so a program may end as
 * it likes; after RAW_MAX records the rest is left out. A free is recorded before
 * it is done and an allocation after, so that of two records of one address the
 * earlier one comes first. Children are not recorded.
 *
 * glibc's own functions have names of their own besides malloc() and so on, by
 * which they are called from here.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *object, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *object);

static struct raw *_Atomic file;
static _Atomic bool asked;

static struct raw *raw_open(void)
{
	const char *name = getenv("SHMZONE_RECORD");
	struct raw *raw;
	int fd;

	if (!name)
		return NULL;
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*raw)))
		_exit(125);
	raw = mmap(NULL, sizeof(*raw), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (raw == MAP_FAILED)
		_exit(125);
	/* Neither children nor what they execute. */
	madvise(raw, sizeof(*raw), MADV_DONTFORK);
	unsetenv("LD_PRELOAD");
	return raw;
}

/* A child finds nothing there, and must not look. */
__attribute__((constructor)) static void begin(void);

static void forked(void)
{
	atomic_store(&file, NULL);
}

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
		      void *dso);
extern void *__dso_handle;

static void begin(void)
{
	__register_atfork(NULL, NULL, forked, __dso_handle);
}

static void record(enum trace_op op, void *object, void *old, size_t bytes, size_t align)
{
	struct raw *raw = atomic_load_explicit(&file, memory_order_relaxed);
	uint64_t i;

	if (!raw) {
		if (atomic_exchange(&asked, true))
			return;
		raw = raw_open();
		atomic_store(&file, raw);
	}
	if (!raw)
		return;
	i = __atomic_fetch_add(&raw->records, 1, __ATOMIC_RELAXED);
	if (i >= RAW_MAX)
		return;
	raw->record[i] = (struct raw_record){
		.object = (uintptr_t)object,
		.old = (uintptr_t)old,
		.bytes = bytes < UINT32_MAX ? bytes : UINT32_MAX,
		.op = op,
		.align_shift = align ? __builtin_ctzl(align) : 0,
		.thread = syscall(SYS_gettid),
	};
}

/* NULL is an event neither way. */

void *malloc(size_t bytes)
{
	void *object = __libc_malloc(bytes);

	if (object)
		record(TRACE_TAKE, object, NULL, bytes, 0);
	return object;
}

void *calloc(size_t n, size_t bytes)
{
	void *object = __libc_calloc(n, bytes);

	if (object)
		record(TRACE_TAKE_ZEROED, object, NULL, n * bytes, 0);
	return object;
}

void free(void *object)
{
	if (object)
		record(TRACE_DROP, object, NULL, 0, 0);
	__libc_free(object);
}

void *realloc(void *object, size_t bytes)
{
	void *to;

	if (object && !bytes) {
		free(object);
		return NULL;
	}
	to = __libc_realloc(object, bytes);
	if (to)
		record(object ? TRACE_RESIZE : TRACE_TAKE, to, object, bytes, 0);
	return to;
}

void *reallocarray(void *object, size_t n, size_t bytes)
{
	if (!__builtin_mul_overflow(n, bytes, &bytes))
		return realloc(object, bytes);
	errno = ENOMEM;
	return NULL;
}

void *memalign(size_t align, size_t bytes)
{
	void *object = __libc_memalign(align, bytes);

	if (object)
		record(TRACE_TAKE_ALIGNED, object, NULL, bytes, align);
	return object;
}

void *aligned_alloc(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

int posix_memalign(void **object, size_t align, size_t bytes)
{
	void *to = memalign(align, bytes);

	if (!to)
		return errno;
	*object = to;
	return 0;
}
