// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: madvise and process_madvise with every advice.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matrix.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

/* A kernel without it refuses it for a process's own memory too. */
static bool is_known(int advice)
{
	size_t bytes = 4 * MIB;
	char *own = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool known;

	memset(own, 1, bytes);
	known = !madvise(own, bytes, advice) || errno != EINVAL;
	munmap(own, bytes);
	return known;
}

static int advise(const struct cell *c, int advice)
{
	return result_of(madvise(c->map, c->bytes, advice));
}

/* Advice that some kernels were built without. */
static int advise_if_known(const struct cell *c, int advice)
{
	return is_known(advice) ? advise(c, advice) : ABSENT;
}

/* What huge pages may need: no other process's page table in the way. */
static int collapse(const struct cell *c, int advice)
{
	int ret = EAGAIN, i;

	if (!is_known(advice))
		return ABSENT;
	for (i = 0; i < 20 && ret; i++)
		ret = advise(c, advice);
	return ret;
}

static int touch_in_child(void *arg)
{
	return touch_read(arg);
}

static int not_in_child(const struct cell *c, int advice)
{
	if (madvise(c->map, c->bytes, MADV_DONTFORK))
		return -errno;
	return in_child(touch_in_child, c->at) == SIGSEGV ? 0 : NO;
}

static int in_child_again(const struct cell *c, int advice)
{
	if (madvise(c->map, c->bytes, MADV_DONTFORK) ||
	    madvise(c->map, c->bytes, MADV_DOFORK))
		return -errno;
	return in_child(touch_in_child, c->at) ? NO : 0;
}

/* With privileges it would take memory away from the machine. */
static int advise_as_stranger(const struct cell *c, int advice)
{
	if (!become(STRANGER, STRANGER) || !is_known(advice))
		return ABSENT;
	return advise(c, advice);
}

/* Whatever they give, each after those before it, in @pages pages or in all. */
static int advise_everything(const struct cell *c, int pages)
{
	size_t bytes = pages ? pages * c->page : c->bytes;
	int advice;

	for (advice = -1; advice < 200; advice++) {
		if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE)
			continue;
		madvise(pages ? c->at : c->map, bytes, advice);
		if (touch_read(c->at))
			return _wrong("not readable any more");
	}
	return 0;
}

static int process_advise(const struct cell *c, int advice)
{
	pid_t peer = start_peer();
	int pidfd = syscall(SYS_pidfd_open, peer, 0), ret;
	struct iovec range = { .iov_base = c->map, .iov_len = c->bytes };

	if (peer < 0 || pidfd < 0)
		return _wrong("no peer");
	ret = result_of(syscall(SYS_process_madvise, pidfd, &range, 1, advice, 0));
	end_peer(peer);
	return ret;
}

const struct action advice[] = {
	{ "`MADV_NORMAL`", advise, MADV_NORMAL },
	{ "`MADV_RANDOM`", advise, MADV_RANDOM },
	{ "`MADV_SEQUENTIAL`", advise, MADV_SEQUENTIAL },
	{ "`MADV_WILLNEED`", advise, MADV_WILLNEED },
	{ "`MADV_DONTNEED`", advise, MADV_DONTNEED },
	{ "`MADV_DONTNEED_LOCKED`", advise, MADV_DONTNEED_LOCKED },
	{ "`MADV_FREE`", advise, MADV_FREE },
	{ "`MADV_REMOVE`", advise, MADV_REMOVE },
	{ "`MADV_DONTFORK`", not_in_child },
	{ "`MADV_DOFORK`", in_child_again },
	{ "`MADV_WIPEONFORK`", advise, MADV_WIPEONFORK },
	{ "`MADV_KEEPONFORK`", advise, MADV_KEEPONFORK },
	{ "`MADV_MERGEABLE`", advise_if_known, MADV_MERGEABLE },
	{ "`MADV_UNMERGEABLE`", advise_if_known, MADV_UNMERGEABLE },
	{ "`MADV_HUGEPAGE`", advise_if_known, MADV_HUGEPAGE },
	{ "`MADV_NOHUGEPAGE`", advise_if_known, MADV_NOHUGEPAGE },
	{ "`MADV_COLLAPSE`", collapse, MADV_COLLAPSE },
	{ "`MADV_COLD`", advise, MADV_COLD },
	{ "`MADV_PAGEOUT`", advise, MADV_PAGEOUT },
	{ "`MADV_POPULATE_READ`", advise, MADV_POPULATE_READ },
	{ "`MADV_POPULATE_WRITE`", advise, MADV_POPULATE_WRITE },
	{ "`MADV_DONTDUMP`", advise, MADV_DONTDUMP },
	{ "`MADV_DODUMP`", advise, MADV_DODUMP },
	{ "`MADV_HWPOISON` unprivileged", advise_as_stranger, MADV_HWPOISON },
	{ "`MADV_SOFT_OFFLINE` unprivileged", advise_as_stranger, MADV_SOFT_OFFLINE },
	{ "advice unknown to the kernel", advise, 1000 },
	{ "all advice in turn", advise_everything, 0 },
	{ "all advice in turn for a page", advise_everything, 1 },
	{ "`process_madvise` `COLD`", process_advise, MADV_COLD },
	{ "`process_madvise` `PAGEOUT`", process_advise, MADV_PAGEOUT },
	{ "`process_madvise` `WILLNEED`", process_advise, MADV_WILLNEED },
	{ "`process_madvise` `COLLAPSE`", process_advise, MADV_COLLAPSE },
	{ "`process_madvise` `DONTNEED`", process_advise, MADV_DONTNEED },
	{ "`process_madvise` `DODUMP`", process_advise, MADV_DODUMP },
	{}
};
