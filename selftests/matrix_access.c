// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: who reads and writes a mapping but its process's own loads and
 * stores: other processes, and the kernel on its behalf.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.h"

pid_t start_peer(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		for (;;)
			raise(SIGSTOP);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	return pid;
}

void end_peer(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What a transfer of @bytes gave; those that write must have written. */
static int transferred(const struct cell *c, ssize_t bytes, bool write)
{
	if (bytes < 0)
		return -errno;
	if (bytes != SCRIBBLE_BYTES)
		return _wrong("bytes are missing");
	return write && !is_scribbled(c) ? NO : 0;
}

/* The same, with what was read. */
static int was_read(const struct cell *c, ssize_t bytes, const char *seen)
{
	int ret = transferred(c, bytes, false);

	return ret ? ret : memcmp(scribble_at(c), seen, SCRIBBLE_BYTES) ? NO : 0;
}

static int vm_read(const struct cell *c, int arg)
{
	char seen[SCRIBBLE_BYTES];
	struct iovec here = { seen, sizeof(seen) };
	struct iovec there = { scribble_at(c), sizeof(seen) };
	pid_t peer = start_peer();
	int ret = was_read(c, process_vm_readv(peer, &here, 1, &there, 1, 0), seen);

	end_peer(peer);
	return ret;
}

static int vm_read_hole(const struct cell *c, int arg)
{
	char seen[SCRIBBLE_BYTES] = "not 0";
	struct iovec here = { seen, sizeof(seen) };
	struct iovec there = { hole_of(c), sizeof(seen) };
	pid_t peer = start_peer();
	int ret = transferred(c, process_vm_readv(peer, &here, 1, &there, 1, 0), false);

	end_peer(peer);
	return ret ? ret : all_bytes(seen, sizeof(seen), 0) ? 0 : NO;
}

static int vm_write(const struct cell *c, int arg)
{
	struct iovec here = { SCRIBBLE, SCRIBBLE_BYTES };
	struct iovec there = { scribble_at(c), SCRIBBLE_BYTES };
	pid_t peer = start_peer();
	int ret = transferred(c, process_vm_writev(peer, &here, 1, &there, 1, 0), true);

	end_peer(peer);
	return ret;
}

static int open_memory(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int mem_read(const struct cell *c, int arg)
{
	pid_t peer = start_peer();
	char seen[SCRIBBLE_BYTES];
	int ret = was_read(c, pread(open_memory(peer), seen, sizeof(seen),
				    (uintptr_t)scribble_at(c)), seen);

	end_peer(peer);
	return ret;
}

static int mem_write(const struct cell *c, int arg)
{
	pid_t peer = start_peer();
	int ret = transferred(c, pwrite(open_memory(peer), SCRIBBLE, SCRIBBLE_BYTES,
					(uintptr_t)scribble_at(c)), true);

	end_peer(peer);
	return ret;
}

static int own_mem_write(const struct cell *c, int arg)
{
	return transferred(c, pwrite(open_memory(getpid()), SCRIBBLE, SCRIBBLE_BYTES,
				     (uintptr_t)scribble_at(c)), true);
}

static int peek(const struct cell *c, int arg)
{
	pid_t peer = start_peer();
	long word;
	int ret;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, peer, scribble_at(c), NULL);
	ret = errno ? -errno : was_read(c, sizeof(word), (char *)&word);
	end_peer(peer);
	return ret;
}

static int poke(const struct cell *c, int arg)
{
	pid_t peer = start_peer();
	long word;
	int ret;

	memcpy(&word, SCRIBBLE, sizeof(word));
	ret = result_of(ptrace(PTRACE_POKEDATA, peer, scribble_at(c), word));
	if (!ret)
		ret = transferred(c, sizeof(word), true);
	end_peer(peer);
	return ret;
}

static int forget_refs(const struct cell *c, int what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return ABSENT;
	if (write(fd, what == 1 ? "1" : "4", 1) != 1)
		return errno == EINVAL ? ABSENT : -errno;
	return touch_read(c->at);
}

static int wake(const struct cell *c, int arg)
{
	return result_of(syscall(SYS_futex, scribble_at(c), FUTEX_WAKE, 1, NULL, NULL, 0));
}

static int read_into(const struct cell *c, int arg)
{
	int ends[2];

	if (pipe(ends) || write(ends[1], SCRIBBLE, SCRIBBLE_BYTES) != SCRIBBLE_BYTES)
		return _wrong("no pipe");
	return transferred(c, read(ends[0], scribble_at(c), SCRIBBLE_BYTES), true);
}

static int write_from(const struct cell *c, int arg)
{
	char seen[SCRIBBLE_BYTES];
	int ends[2];

	if (pipe(ends))
		return _wrong("no pipe");
	if (write(ends[1], scribble_at(c), SCRIBBLE_BYTES) != SCRIBBLE_BYTES)
		return -errno;
	return was_read(c, read(ends[0], seen, sizeof(seen)), seen);
}

/* Its pages to a pipe, without copying. */
static int splice_from(const struct cell *c, int flags)
{
	struct iovec there = { scribble_at(c), SCRIBBLE_BYTES };
	char seen[SCRIBBLE_BYTES];
	int ends[2];

	if (pipe(ends))
		return _wrong("no pipe");
	if (vmsplice(ends[1], &there, 1, flags) != SCRIBBLE_BYTES)
		return -errno;
	return was_read(c, read(ends[0], seen, sizeof(seen)), seen);
}

/* As gifts in whole pages, and on to a file, which might take them for its own. */
static int splice_on(const struct cell *c, int arg)
{
	struct iovec there = { c->at, c->page };
	int file = memfd_create("splice", MFD_CLOEXEC), ends[2];
	char *copy;

	if (pipe(ends) || ftruncate(file, c->page))
		return _wrong("no pipe");
	if (vmsplice(ends[1], &there, 1, SPLICE_F_GIFT) < 0)
		return -errno;
	if (splice(ends[0], NULL, file, NULL, c->page, SPLICE_F_MOVE) != (ssize_t)c->page)
		return -errno;
	copy = mmap(NULL, c->page, RW, MAP_SHARED, file, 0);
	if (memcmp(copy, c->at, c->page))
		return NO;
	/* It is a copy: this does not reach the zone. */
	memset(copy, 0xff, c->page);
	return 0;
}

static int splice_into(const struct cell *c, int arg)
{
	struct iovec there = { scribble_at(c), SCRIBBLE_BYTES };
	int ends[2];

	if (pipe(ends) || write(ends[1], SCRIBBLE, SCRIBBLE_BYTES) != SCRIBBLE_BYTES)
		return _wrong("no pipe");
	return transferred(c, vmsplice(ends[0], &there, 1, 0), true);
}

/* A ring for one request at a time. */
struct ring {
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *entry;
	int fd;
};

static bool ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	size_t bytes;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 1, p);
	if (ring->fd < 0 || !(p->features & IORING_FEAT_SINGLE_MMAP))
		return false;
	bytes = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe) +
		p->sq_off.array + p->sq_entries * sizeof(__u32);
	ring->rings = mmap(NULL, bytes, RW, MAP_SHARED | MAP_POPULATE, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->entry = mmap(NULL, p->sq_entries * sizeof(*ring->entry), RW,
			   MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	return ring->rings != MAP_FAILED && ring->entry != MAP_FAILED;
}

static int ring_do(struct ring *ring, const struct io_uring_sqe *entry)
{
	struct io_uring_params *p = &ring->params;
	__u32 *tail = (void *)(ring->rings + p->sq_off.tail);
	__u32 *array = (void *)(ring->rings + p->sq_off.array);
	struct io_uring_cqe *done = (void *)(ring->rings + p->cq_off.cqes);

	*ring->entry = *entry;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	return done->res;
}

static int ring_register(const struct cell *c, struct ring *ring)
{
	struct iovec buffer = { c->at, c->page };

	if (!ring_open(ring))
		return ABSENT;
	return result_of(syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS,
				 &buffer, 1));
}

/* @op reads from or writes to a pipe. */
static int ring_transfer(const struct cell *c, struct ring *ring, int op)
{
	bool read_it = op == IORING_OP_READ || op == IORING_OP_READ_FIXED;
	struct io_uring_sqe entry = {
		.opcode = op,
		.addr = to_u64(scribble_at(c)),
		.len = SCRIBBLE_BYTES,
	};
	char seen[SCRIBBLE_BYTES];
	int ends[2], ret;

	if (pipe(ends) ||
	    (read_it && write(ends[1], SCRIBBLE, SCRIBBLE_BYTES) != SCRIBBLE_BYTES))
		return _wrong("no pipe");
	entry.fd = ends[!read_it];
	ret = ring_do(ring, &entry);
	if (ret < 0)
		return ret;
	if (read_it)
		return transferred(c, ret, true);
	return was_read(c, read(ends[0], seen, ret), seen);
}

static int ring_buffer(const struct cell *c, int arg)
{
	struct ring ring;

	return ring_register(c, &ring);
}

static int ring_fixed(const struct cell *c, int op)
{
	struct ring ring;
	int ret = ring_register(c, &ring);

	return ret ? ret : ring_transfer(c, &ring, op);
}

static int ring_plain(const struct cell *c, int op)
{
	struct ring ring;

	return ring_open(&ring) ? ring_transfer(c, &ring, op) : ABSENT;
}

const struct action access_by_others[] = {
	{ "`process_vm_readv`", vm_read },
	{ "`process_vm_readv` of nothing yet", vm_read_hole },
	{ "`process_vm_writev`", vm_write },
	{ "read of `/proc/PID/mem`", mem_read },
	{ "write of `/proc/PID/mem`", mem_write },
	{ "write of `/proc/self/mem`", own_mem_write },
	{ "`ptrace` to peek", peek },
	{ "`ptrace` to poke", poke },
	{ "`clear_refs` of references", forget_refs, 1 },
	{ "`clear_refs` of soft-dirty bits", forget_refs, 4 },
	{ "`futex` to wake", wake },
	{ "`read` into it", read_into },
	{ "`write` from it", write_from },
	{ "`vmsplice` from it", splice_from, 0 },
	{ "`vmsplice` as a gift", splice_from, SPLICE_F_GIFT },
	{ "`vmsplice` and `splice` to a file", splice_on },
	{ "`vmsplice` into it", splice_into },
	{ "`io_uring` read into it", ring_plain, IORING_OP_READ },
	{ "`io_uring` write from it", ring_plain, IORING_OP_WRITE },
	{ "`io_uring` fixed buffer", ring_buffer },
	{ "`io_uring` fixed read into it", ring_fixed, IORING_OP_READ_FIXED },
	{ "`io_uring` fixed write from it", ring_fixed, IORING_OP_WRITE_FIXED },
	{}
};
