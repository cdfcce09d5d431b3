// SPDX-License-Identifier: GPL-2.0
/*
 * The rules on strict and committed zones, on waiting, roots and seals.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "caches.h"
#include "rules.h"

#define MS		1000000ULL

/* A strict zone, mapped, with a span; @at is where to touch. */
#define SPAN_PAGES	9

struct strict {
	int zone;
	__u64 span;
	char *at;
};

static bool make_strict(const struct place *p, int at_page, struct strict *s)
{
	char *data;

	s->zone = _try_create_kind(p->control, SHMZONE_CREATE_STRICT, PLACE_BYTES, 0);
	data = map_data(s->zone, PLACE_BYTES, RW);
	if (data == MAP_FAILED || _try_alloc(s->zone, SPAN_PAGES * page_bytes(), 1, &s->span) != 1)
		return false;
	s->at = data + s->span + at_page * page_bytes();
	return !touch_write(data + s->span);
}

static int touch_to_read(struct place *p, int at_page)
{
	struct strict s;

	return make_strict(p, at_page, &s) ? signalled(touch_read(s.at)) : WRONG;
}

static int touch_to_write(struct place *p, int at_page)
{
	struct strict s;

	return make_strict(p, at_page, &s) ? signalled(touch_write(s.at)) : WRONG;
}

static int touch_freed(struct place *p, int arg)
{
	struct strict s;

	if (!make_strict(p, 0, &s) || _try_free_at(s.zone, s.span) != 1)
		return WRONG;
	return signalled(touch_read(s.at));
}

static int read_into_hole(struct place *p, int arg)
{
	struct strict s;
	int ends[2];

	if (!make_strict(p, SPAN_PAGES, &s) || pipe(ends) || write(ends[1], "x", 1) != 1)
		return WRONG;
	return read(ends[0], s.at, 1) < 0 ? -errno : 0;
}

static int read_of_others_hole(struct place *p, int arg)
{
	struct strict s;
	char byte;
	struct iovec here = { &byte, 1 }, there;

	if (!make_strict(p, SPAN_PAGES, &s))
		return WRONG;
	there = (struct iovec) { s.at, 1 };
	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0 ? -errno : 0;
}

static int answer_into_hole(struct place *p, int arg)
{
	struct strict s;

	return make_strict(p, SPAN_PAGES, &s) ? _try_alloc(p->zone, 8, 1, (__u64 *)s.at) : WRONG;
}

static int populate_hole(struct place *p, int advice)
{
	struct strict s;

	if (!make_strict(p, SPAN_PAGES, &s))
		return WRONG;
	return madvise(s.at, page_bytes(), advice) ? -errno : 0;
}

static int lock_hole(struct place *p, int arg)
{
	struct strict s;

	return !make_strict(p, SPAN_PAGES, &s) ? WRONG : mlock(s.at, page_bytes()) ? -errno : 0;
}

static int alloc_too_much(struct place *p, int kind)
{
	int zone = _try_create_kind(p->control, kind, PLACE_BYTES, MIB);
	__u64 offset;

	return zone < 0 ? WRONG : _try_alloc(zone, MIB + 1, 1, &offset);
}

const struct rule kind_rules[] = {
	{ "strict: read behind a span", SIGNAL(SIGBUS), touch_to_read, SPAN_PAGES },
	{ "strict: write behind a span", SIGNAL(SIGBUS), touch_to_write, SPAN_PAGES },
	{ "strict: read before it", SIGNAL(SIGBUS), touch_to_read, -1 },
	{ "strict: read what was freed", SIGNAL(SIGBUS), touch_freed },
	{ "strict: read(2) into a hole", -EFAULT, read_into_hole },
	{ "strict: process_vm_readv of a hole", -EFAULT, read_of_others_hole },
	{ "strict: an answer into a hole", -EFAULT, answer_into_hole },
	{ "strict: MADV_POPULATE_READ", -EFAULT, populate_hole, MADV_POPULATE_READ },
	{ "strict: MADV_POPULATE_WRITE", -EFAULT, populate_hole, MADV_POPULATE_WRITE },
	{ "strict: mlock", -ENOMEM, lock_hole },
	{ "strict: beyond the limit", -ENOMEM, alloc_too_much, SHMZONE_CREATE_STRICT },
	{ "committed: beyond the limit", -ENOMEM, alloc_too_much, SHMZONE_CREATE_COMMITTED },
	{}
};

/* Until there are less than 64 KiB left. */
static void fill(const struct place *p)
{
	__u64 offset;

	while (_try_alloc(p->zone, 64 * KIB, 1, &offset) == 1)
		;
}

static int wait_for(struct place *p, int bytes)
{
	__u64 offset;

	fill(p);
	return _try_alloc_wait(p->zone, bytes, 1, 20 * MS, &offset);
}

static void on_signal(int signal)
{
}

static int wait_for_signal(struct place *p, int arg)
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = on_signal };
	__u64 offset;

	fill(p);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	return _try_alloc_wait(p->zone, MIB, 1, 0, &offset);
}

static int time_without_waiting(struct place *p, int arg)
{
	__u64 offset;
	struct shmzone_alloc args = {
		SIZED(shmzone_alloc),
		.bytes = 8,
		.offsets = to_u64(&offset),
		.count = 1,
		.timeout_ns = 1,
	};

	return _try_call(p->zone, SHMZONE_ALLOC, &args);
}

/* The first poll is when failures begin to count. */
static int poll_for_room(struct place *p, int reader)
{
	struct pollfd poller = { .fd = p->zone, .events = POLLOUT | POLLIN | POLLPRI };

	if (poll(&poller, 1, 0) != 1 || poller.revents != POLLOUT)
		return WRONG;
	if (reader)
		poller.fd = p->reader;
	else
		fill(p);
	return poll(&poller, 1, 0) ? 0 : NO_EVENT;
}

const struct rule wait_rules[] = {
	{ "wait for longer than told", -ETIMEDOUT, wait_for, MIB },
	{ "wait for more than the limit", -ENOMEM, wait_for, PLACE_BYTES / 2 + 1 },
	{ "wait for more than the zone", -ENOMEM, wait_for, 2 * PLACE_BYTES },
	{ "wait for nothing", -EINVAL, wait_for, 0 },
	{ "wait until a signal arrives", -EINTR, wait_for_signal },
	{ "a time without waiting", -EINVAL, time_without_waiting },
	{ "poll of a full zone", NO_EVENT, poll_for_room, 0 },
	{ "poll for reading", NO_EVENT, poll_for_room, 1 },
	{}
};

static int set_root(const struct place *p, const char *name, __u64 offset)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set), NAMED(name), .offset = offset,
	};

	return _try_call(p->zone, SHMZONE_ROOT_SET, &args);
}

static int root_to_nothing(struct place *p, int at)
{
	return set_root(p, "root", p->object + at);
}

static int root_of_length(struct place *p, int length)
{
	char name[512] = "";

	memset(name, 'x', length);
	return set_root(p, name, p->object);
}

static int root_of_another_value(struct place *p, int arg)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set),
		.flags = SHMZONE_ROOT_SET_CAS,
		NAMED("root"),
		.offset = p->object,
		.expected = p->object,
	};

	return _try_call(p->zone, SHMZONE_ROOT_SET, &args);
}

static int root_with(struct place *p, int flags)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set),
		.flags = flags,
		NAMED("root"),
		.offset = p->object,
		.expected = flags ? 0 : p->object,
	};

	return _try_call(p->zone, SHMZONE_ROOT_SET, &args);
}

static int one_root_more(struct place *p, int arg)
{
	char name[16];
	int i;

	for (i = 0; i < SHMZONE_ROOTS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (set_root(p, name, p->object))
			return WRONG;
	}
	return set_root(p, "one more", p->object);
}

const struct rule root_rules[] = {
	{ "a root to the inside of an object", -EINVAL, root_to_nothing, 8 },
	{ "a root to nothing", -EINVAL, root_to_nothing, 1 },
	{ "a root without a name", -EINVAL, root_of_length, 0 },
	{ "a root with too long a name", -ENAMETOOLONG, root_of_length,
	  SHMZONE_ROOT_NAME_MAX + 1 },
	{ "a root that has another value", -EAGAIN, root_of_another_value },
	{ "a value expected without a swap", -EINVAL, root_with, 0 },
	{ "an unknown flag of roots", -EOPNOTSUPP, root_with, 1 << 30 },
	{ "one root more than there can be", -ENOSPC, one_root_more },
	{}
};

static bool sealed(const struct place *p, __u32 seal)
{
	return !_try_add_seals(p->zone, seal);
}

static int sealed_and_alloc(struct place *p, int bytes)
{
	__u64 offset;

	return sealed(p, SHMZONE_SEAL_ALLOC) ? _try_alloc(p->zone, bytes, 1, &offset) : WRONG;
}

static int sealed_and_wait(struct place *p, int bytes)
{
	__u64 offset;

	if (!sealed(p, SHMZONE_SEAL_ALLOC))
		return WRONG;
	return _try_alloc_wait(p->zone, bytes, 1, 20 * MS, &offset);
}

static int sealed_and_refill(struct place *p, int arg)
{
	if (_try_map_caches(p->zone, 1) || !sealed(p, SHMZONE_SEAL_ALLOC))
		return WRONG;
	return _try_refill(p->zone, 0, class_of(p->zone, 64), 0, NULL);
}

static int sealed_and_limit(struct place *p, int bytes)
{
	return sealed(p, SHMZONE_SEAL_LIMIT) ? _try_set_limit(p->zone, bytes) : WRONG;
}

static int sealed_and_map(struct place *p, int arg)
{
	return sealed(p, SHMZONE_SEAL_WRITE) ? mapped(map_data(p->zone, MIB, RW)) : WRONG;
}

static int sealed_and_widen(struct place *p, int arg)
{
	void *data;

	if (!sealed(p, SHMZONE_SEAL_WRITE))
		return WRONG;
	data = map_data(p->zone, MIB, PROT_READ);
	return data == MAP_FAILED ? WRONG : mprotect(data, MIB, RW) ? -errno : 0;
}

static int sealed_and_seal(struct place *p, int seals)
{
	return sealed(p, SHMZONE_SEAL_SEAL) ? _try_add_seals(p->zone, seals) : WRONG;
}

static int seal_with(struct place *p, int seals)
{
	return _try_add_seals(p->zone, seals);
}

const struct rule seal_rules[] = {
	{ "sealed: allocate a slot", -EPERM, sealed_and_alloc, 64 },
	{ "sealed: allocate a span", -EPERM, sealed_and_alloc, MIB },
	{ "sealed: wait", -EPERM, sealed_and_wait, 64 },
	{ "sealed: refill", -EPERM, sealed_and_refill },
	{ "sealed: raise the limit", -EPERM, sealed_and_limit, PLACE_BYTES },
	{ "sealed: lower the limit", -EPERM, sealed_and_limit, MIB },
	{ "sealed: map to write", -EPERM, sealed_and_map },
	{ "sealed: make a mapping writable", -EACCES, sealed_and_widen },
	{ "sealed: seal", -EPERM, sealed_and_seal, SHMZONE_SEAL_WRITE },
	{ "sealed: seal nothing", -EPERM, sealed_and_seal, 0 },
	{ "an unknown seal", -EOPNOTSUPP, seal_with, 1 << 30 },
	{}
};
