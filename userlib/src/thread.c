// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Numbers of threads.
 *
 * A thread that uses a cache has a number, the same for all zones, which tells
 * its caches from those of other threads. It is given one on the slow path of
 * its first allocation or free, and gives it back when it ends. The number used
 * last is used first, so that caches of threads that ended are found again with
 * what is in them. When all are in use, those of threads that vanished without
 * running destructors are taken back. Threads beyond that do without caches.
 *
 * The end of a thread is told by the destructor of a key. Those of other keys may
 * still allocate and free, before and after it: so it waits for a second round of
 * them, and what comes after that is done without a number.
 *
 * Signals. All are blocked while a thread gets its number or gives it back. So a
 * handler finds it with a number or without, and nothing is left half done,
 * however the handler leaves. Nobody waits for the lock who wants to allocate or
 * free: who does not get it at once does without a number that time.
 *
 * Forks. The state is in memory of which the kernel gives a child zeros
 * (MADV_WIPEONFORK), whatever system call made the child and whatever other
 * threads were doing: the lock is free there, nobody has a number, and a thread
 * sees that by its own entry, which lacks its mark. Nothing needs a handler.
 * The child's one thread may still have pointers to caches by its old number.
 * So other threads only get numbers that the parent had never given out
 * (@ever_given is ordinary memory), until the one has come, for its own if it had
 * one, or ended.
 *
 * A child that shares our memory, as of vfork(2), and is no thread, is given no
 * number, as it may be gone before the thread whose variables it uses. It may
 * allocate and free, in the caches of that thread if it has any, but not open or
 * close zones. It is told by the process id, and where nobody has come yet to write
 * that down, by the kernel: or it would be taken for the process itself, and its end
 * for that of the thread.
 *
 * pthread_setspecific() allocates where a program has more than 31 keys before
 * this one. A thread whose very first use of a zone is in a signal handler that
 * interrupted malloc(3) is then in trouble.
 */
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"

/* Tests have fewer. */
#ifndef THREADS_MAX
#define THREADS_MAX	(SHMZONE_CACHES_MAX - DEPOT_CACHES)
#endif

/* Attempts to get a lock before a thread that waits for it sleeps. */
#define YIELDS		16

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
 * @lock: for all that follows
 * @slots_lock: for region.c
 * @pid: of this process, 0 before the first thread has come
 * @reserved: numbers below are not given out yet, but to who had them
 * @next: numbers from here on were never given out
 * @misses: times that there was no number left
 * @count: numbers in @free
 * @free: numbers given back, last one last
 * @thread: by number
 * @depot: by slot; these have their own locks
 * @lacks_client: by slot: the process is no client of the zone and will not be one
 */
struct process {
	bool lock;
	bool slots_lock;
	pid_t pid;
	uint32_t reserved;
	uint32_t next;
	uint32_t misses;
	uint32_t count;
	uint16_t free[THREADS_MAX];
	struct thread thread[THREADS_MAX];
	struct depot depot[SLOTS];
	bool lacks_client[SLOTS];
};

static struct process *process;

/* The key, and 1. */
static uint32_t key;

_Static_assert(sizeof(pthread_key_t) == sizeof(key), "so glibc has it");

/* Numbers that were ever given out, in this process or one before it. */
static uint32_t ever_given;

/* The thread's number, and 1; 0 if it has none. */
static __thread uint32_t mine __attribute__((tls_model("initial-exec")));

/* The thread has ended, but for what destructors still do. */
static __thread bool ended __attribute__((tls_model("initial-exec")));

/* Those of the C library too, which pthread_sigmask() leaves out. */
static void block_signals(uint64_t *before)
{
	uint64_t all = UINT64_MAX;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, before, sizeof(all));
}

static void restore_signals(const uint64_t *before)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(*before));
}

/* The caller has blocked signals. */
static bool try_lock(bool *lock)
{
	return !__atomic_test_and_set(lock, __ATOMIC_ACQUIRE);
}

/*
 * It sleeps before long: where a thread of a higher priority only yields, the one that
 * has the lock may never run.
 */
static void wait_lock(bool *lock)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	uint32_t tries = 0;

	while (!try_lock(lock)) {
		if (++tries < YIELDS)
			sched_yield();
		else
			nanosleep(&moment, NULL);
	}
}

static void unlock(bool *lock)
{
	__atomic_clear(lock, __ATOMIC_RELEASE);
}

void slots_lock(uint64_t *signals)
{
	block_signals(signals);
	wait_lock(&process->slots_lock);
}

void slots_unlock(const uint64_t *signals)
{
	unlock(&process->slots_lock);
	restore_signals(signals);
}

static bool has_vanished(const struct process *p, pid_t id)
{
	int saved = errno;
	bool gone = syscall(SYS_tgkill, p->pid, id, 0) && errno == ESRCH;

	errno = saved;
	return gone;
}

/* In a child the thread has none, though it remembers one. */
static bool has_number(const struct process *p)
{
	return mine && load(p->thread[mine - 1].mark) == &mine;
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
	store(p->count, p->count + 1);
}

/* The first one to come in a new process. */
static void begin(struct process *p)
{
	p->reserved = ever_given;
	p->next = ever_given;
	p->pid = getpid();
}

/*
 * A number from before a fork, or none. The thread that has it is the only one of
 * the parent's, so nobody else needs those that are reserved for them.
 */
static void release_reserved(struct process *p, uint32_t mine_before)
{
	uint32_t number = p->reserved;

	p->reserved = 0;
	while (number--)
		if (number != mine_before)
			give_back(p, number);
}

/* The thread does without a number from now on; signals are blocked. */
static void leave(struct process *p)
{
	uint32_t number = mine - 1;

	/* Before somebody else may have the number. */
	forget_caches();
	wait_lock(&p->lock);
	if (!p->pid)
		begin(p);
	if (p->thread[number].mark == &mine)
		give_back(p, number);
	else if (number < p->reserved)
		release_reserved(p, THREADS_MAX);
	mine = 0;
	unlock(&p->lock);
}

/* The destructor of the key. */
static void thread_end(void *arg)
{
	struct process *p = arg;
	uint64_t signals;

	if (!mine)
		return;
	if (!ended) {
		ended = true;
		if (!pthread_setspecific(key - 1, p))
			return;
	}
	block_signals(&signals);
	leave(p);
	restore_signals(&signals);
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
	begin(p);
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
 * after that must not be sent here. The end of the process is no different.
 */
__attribute__((destructor)) static void threads_exit(void)
{
	if (!process)
		return;
	pthread_key_delete(key - 1);
	slots_end();
}

static uint32_t take_new(struct process *p)
{
	uint32_t number = p->next;

	store(p->next, number + 1);
	if (ever_given < p->next)
		ever_given = p->next;
	return number;
}

static void search_vanished(struct process *p)
{
	uint32_t number;

	for (number = 0; number < p->next; number++)
		if (p->thread[number].mark && has_vanished(p, p->thread[number].id))
			give_back(p, number);
}

/*
 * Whether there is no number, and no search is due; without the lock, for those
 * who ask in vain again and again.
 */
static bool is_hopeless(struct process *p)
{
	if (load(p->count) || load(p->next) < THREADS_MAX || mine)
		return false;
	return __atomic_fetch_add(&p->misses, 1, __ATOMIC_RELAXED) % SEARCH_EVERY;
}

/* Returns THREADS_MAX if there is none. */
static uint32_t choose(struct process *p, pid_t self)
{
	uint32_t before = mine - 1;

	if (mine && before < p->reserved) {
		release_reserved(p, before);
		return before;
	}
	/* The first thread of a process is the one that a child begins with. */
	if (!mine && self == p->pid)
		release_reserved(p, THREADS_MAX);
	if (!p->count && p->next < THREADS_MAX)
		return take_new(p);
	if (!p->count)
		search_vanished(p);
	if (!p->count)
		return THREADS_MAX;
	store(p->count, p->count - 1);
	return p->free[p->count];
}

/* The lock is held. */
static bool enter(struct process *p)
{
	pid_t self = syscall(SYS_gettid);
	uint32_t number;

	if (!p->pid)
		begin(p);
	if (p->pid != getpid())
		return false;
	number = choose(p, self);
	if (number == THREADS_MAX)
		return false;
	forget_caches();
	p->thread[number].id = self;
	mine = number + 1;
	store(p->thread[number].mark, &mine);
	return true;
}

/* Where the kernel does not tell, there is none. */
static bool shares_memory_of_parent(void)
{
	int saved = errno;
	bool shares = !syscall(SYS_kcmp, getpid(), getppid(), KCMP_VM, 0, 0);

	errno = saved;
	return shares;
}

/*
 * Who is not of this process, as the child of vfork(2), must not take the lock: if
 * it is killed then, nobody gives it back.
 */
static bool is_of(const struct process *p)
{
	pid_t pid = load(p->pid);

	return pid ? pid == getpid() : !shares_memory_of_parent();
}

/* What else is allocated meanwhile has the number already. */
static void register_thread(struct process *p)
{
	bool entered = false;
	int saved = errno;
	uint64_t signals;

	block_signals(&signals);
	if (!has_number(p) && is_of(p) && try_lock(&p->lock)) {
		entered = enter(p);
		unlock(&p->lock);
	}
	/* A number that nobody gives back is better not had. */
	if (entered && pthread_setspecific(key - 1, p))
		leave(p);
	restore_signals(&signals);
	errno = saved;
}

pid_t thread_id(void)
{
	return load(process->thread[mine - 1].id);
}

bool thread_has_vanished(pid_t id)
{
	return has_vanished(process, id);
}

bool threads_are_many(void)
{
	return load(process->next) - load(process->count) > 1;
}

struct depot *depot_of(uint32_t slot)
{
	return &process->depot[slot];
}

bool *slot_lacks_client(uint32_t slot)
{
	return &process->lacks_client[slot];
}

int thread_number(void)
{
	struct process *p = process;

	if (!has_number(p) && !ended && !is_hopeless(p))
		register_thread(p);
	return has_number(p) ? (int)mine - 1 : -1;
}
