// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Numbers of threads.
 *
 * A thread that uses a cache has a number, the same for all zones, which tells
 * its caches from those of other threads. It is given one on the slow path of
 * its first allocation or free, and gives it back when it ends, by the
 * destructor of a key. The number used last is used first, so that caches of
 * threads that ended are found again with what is in them. When all are in use,
 * those of threads that vanished without running destructors are taken back.
 * Threads beyond that do without caches.
 *
 * Forks. The state is in memory of which the kernel gives a child zeros
 * (MADV_WIPEONFORK), whatever system call made the child and whatever other
 * threads were doing: the lock is free there, nobody has a number, and a thread
 * sees that by its own entry, which lacks its mark. Nothing needs a handler.
 * The child's one thread may still have pointers to caches by its old number.
 * So other threads only get numbers that the parent had never given out
 * (@ever_given is ordinary memory), until the one has come for its own.
 *
 * Nobody waits for the lock who wants to allocate or free: a thread that does
 * not get it at once does without a number that time. So a signal handler can
 * come at any moment. The holder's thread id is in the lock, so that it can be
 * taken from a thread that vanished; what that one left half done loses a
 * number at worst.
 *
 * pthread_setspecific() allocates where a program has more than 31 keys before
 * this one. A thread whose very first use of a zone is in a signal handler that
 * interrupted malloc(3) is then in trouble.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cache.h"

/* Tests have fewer. */
#ifndef THREADS_MAX
#define THREADS_MAX	SHMZONE_CACHES_MAX
#endif

/* Attempts that fail between two searches for threads that vanished. */
#define SEARCH_EVERY	1024

/*
 * struct thread - who has a number
 * @mark: address of the thread's own @mine, NULL for nobody
 * @id: its thread id
 */
struct thread {
	const void *mark;
	pid_t id;
};

/*
 * struct process - the state, zeros in a new process
 * @lock: 0, or the thread id of who has it
 * @slots_lock: the same, for region.c
 * @pid: of this process, 0 before the first thread has come
 * @reserved: numbers below are not given out yet, but to who had them
 * @next: numbers from here on were never given out
 * @misses: times that there was no number left
 * @count: numbers in @free
 * @free: numbers given back, last one last
 * @thread: by number
 */
struct process {
	pid_t lock;
	pid_t slots_lock;
	pid_t pid;
	uint32_t reserved;
	uint32_t next;
	uint32_t misses;
	uint32_t count;
	uint16_t free[THREADS_MAX];
	struct thread thread[THREADS_MAX];
};

static struct process *process;

/* The key, and 1. */
static uint32_t key;

_Static_assert(sizeof(pthread_key_t) == sizeof(key), "so glibc has it");

/* Numbers that were ever given out, in this process or one before it. */
static uint32_t ever_given;

/* The thread's number, and 1; 0 if it has none. */
static __thread uint32_t mine __attribute__((tls_model("initial-exec")));

static pid_t thread_id(void)
{
	return syscall(SYS_gettid);
}

static bool has_vanished(pid_t id)
{
	int saved = errno;
	bool gone;

	/* A child that shares our memory, as of vfork(2), sees other threads. */
	gone = process->pid && getpid() == process->pid &&
	       syscall(SYS_tgkill, process->pid, id, 0) && errno == ESRCH;
	errno = saved;
	return gone;
}

static bool try_lock(pid_t *lock)
{
	pid_t holder = 0, me = thread_id();

	if (__atomic_compare_exchange_n(lock, &holder, me, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return true;
	return holder != me && has_vanished(holder) &&
	       __atomic_compare_exchange_n(lock, &holder, me, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void unlock(pid_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

void slots_lock(void)
{
	while (!try_lock(&process->slots_lock))
		sched_yield();
}

void slots_unlock(void)
{
	unlock(&process->slots_lock);
}

static void forget_caches(void)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		store(caches[slot], &empty_cache);
}

static void give_back(struct process *p, uint32_t number)
{
	p->thread[number] = (struct thread){ 0 };
	p->free[p->count] = number;
	p->count++;
}

/* The destructor of the key. */
static void thread_end(void *arg)
{
	struct process *p = arg;
	uint32_t number = mine - 1;

	if (!mine)
		return;
	/* Before somebody else may have the number. */
	forget_caches();
	while (!try_lock(&p->lock))
		sched_yield();
	if (p->thread[number].mark == &mine)
		give_back(p, number);
	mine = 0;
	unlock(&p->lock);
}

/* A thread that loses a race against another one needs neither. */
static bool init_key(void)
{
	uint32_t nobody = 0;
	pthread_key_t mine_alone;

	if (load(key))
		return true;
	if (pthread_key_create(&mine_alone, thread_end))
		return false;
	if (!__atomic_compare_exchange_n(&key, &nobody, mine_alone + 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		pthread_key_delete(mine_alone);
	return true;
}

static bool init_process(void)
{
	struct process *nobody = NULL;
	struct process *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	if (madvise(p, sizeof(*p), MADV_WIPEONFORK)) {
		munmap(p, sizeof(*p));
		return false;
	}
	if (!__atomic_compare_exchange_n(&process, &nobody, p, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		munmap(p, sizeof(*p));
	return true;
}

int threads_init(void)
{
	int saved = errno;
	bool done;

	if (__atomic_load_n(&process, __ATOMIC_ACQUIRE))
		return 0;
	done = init_key() && init_process();
	errno = saved;
	return done ? 0 : -ENOMEM;
}

/*
 * Where the library is a part of something that is unloaded, threads that end
 * after that must not be sent here.
 */
__attribute__((destructor)) static void threads_exit(void)
{
	if (key)
		pthread_key_delete(key - 1);
}

/* The first one to come in a new process. */
static void begin(struct process *p)
{
	p->reserved = ever_given;
	p->next = ever_given;
	p->pid = getpid();
}

/*
 * A number from before a fork. The thread that has it is the only one of the
 * parent's, so nobody else needs those that are reserved for them.
 */
static void release_reserved(struct process *p, uint32_t mine_before)
{
	uint32_t number = p->reserved;

	p->reserved = 0;
	while (number--)
		if (number != mine_before)
			give_back(p, number);
}

static uint32_t take_new(struct process *p)
{
	uint32_t number = p->next;

	p->next++;
	if (ever_given < p->next)
		ever_given = p->next;
	return number;
}

static void search_vanished(struct process *p)
{
	uint32_t number;

	for (number = 0; number < p->next; number++)
		if (p->thread[number].mark && has_vanished(p->thread[number].id))
			give_back(p, number);
}

/* Returns THREADS_MAX if there is none. */
static uint32_t choose(struct process *p)
{
	uint32_t before = mine - 1;

	if (mine && before < p->reserved) {
		release_reserved(p, before);
		return before;
	}
	if (!p->count && p->next < THREADS_MAX)
		return take_new(p);
	if (!p->count && p->misses++ % SEARCH_EVERY == 0)
		search_vanished(p);
	if (!p->count)
		return THREADS_MAX;
	p->count--;
	return p->free[p->count];
}

static int register_thread(struct process *p)
{
	uint32_t number;

	if (!try_lock(&p->lock))
		return -1;
	if (!p->pid)
		begin(p);
	number = choose(p);
	if (number < THREADS_MAX) {
		forget_caches();
		p->thread[number].id = thread_id();
		mine = number + 1;
		store(p->thread[number].mark, &mine);
	}
	unlock(&p->lock);
	if (number == THREADS_MAX)
		return -1;
	pthread_setspecific(key - 1, p);
	return number;
}

int thread_number(void)
{
	struct process *p = process;

	if (mine && load(p->thread[mine - 1].mark) == &mine)
		return mine - 1;
	return register_thread(p);
}
