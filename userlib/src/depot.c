// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The depot: free slots that the threads of a process hand to each other.
 *
 * Where one thread frees what another allocates, the bins of the first are always
 * full and those of the second always empty, and each slot would go through the kernel:
 * out of one cache by CACHE_DRAIN, and into the other by CACHE_REFILL. So a process has
 * a few caches more in a zone, which are no thread's. Who finds a bin full moves half of
 * it there, and who finds one empty takes as much from there, before the kernel is asked.
 * This is the depot of Bonwick and Adams ("Magazines and Vmem", 2001), or what
 * tcmalloc calls a transfer cache.
 *
 * To the kernel these are caches as all others: what is in them comes back however the
 * process ends, is counted, checked, and taken back when nobody uses it or memory is
 * short. They grow by the same ceilings, and leave some of it to those of threads. In
 * owned zones all caches of a process have the same owner. In checked zones, where the
 * kernel sees each free first, there is no depot.
 *
 * A thread alone has a use for it too: what it frees many of, and allocates many of again,
 * goes there and back for a fraction of what the kernel takes. But what lies there is
 * on slabs that nothing else can be made of meanwhile. So the depot of a process of one
 * thread is of a few caches: with 5 the heap of python3 grows by 6 % in what make bench
 * replays, with all 32 by 16 %, for a little less of the time.
 *
 * When. Bins of threads grow first: the depot is for those that cannot any more. Their
 * capacity is known once a CACHE_DRAIN had to free some of it. Then the depot's bin
 * is to grow if it is full, or if it cannot, the next cache's. Where none can, that is not
 * asked for again at once. A guess that is wrong leads to the kernel, or to a shorter move.
 *
 * The lock is looked at for a moment, and not waited for: who does not get it asks the
 * kernel, as if there were no depot. So a holder that is stopped, or was interrupted by
 * the very signal handler that tries, holds up nobody. The lock has the holder's thread
 * id. One that vanished, by exit(2) alone, is found out after some attempts, and the lock
 * goes to who looked. A process does without its depot for as long as a thread lives
 * that left it by longjmp(3) out of a signal handler, or lent itself to a child of
 * vfork(2) which was killed there; what is in the caches at work then comes back
 * when it ends. In the child of fork(2) the depot is new, and the lock is free (thread.c).
 *
 * Lines. Between processors it is not instructions that take the time but lines that the
 * other one wrote to: the lock, the key, the bin, the words, and the objects. So they
 * are asked for at the same time, before they are needed; the objects when the lock is
 * free again.
 *
 * Order. Both caches are at work before what is in their bins is moved, so that the
 * kernel takes neither back meanwhile. It is told that those of the depot are shared, or
 * else it would take the end of who called last for the end of the work. For a call,
 * which the kernel would refuse then, the depot is at rest, but locked. Slots are moved
 * one by one, and each is out of its bin before it is in the other: none is ever in
 * both, and at most one in none. What is freed goes in first, in place of the first that
 * is moved. So a kill loses one object at most, as without a depot; and wherever its
 * holder vanished, the bins are right.
 */
#include <unistd.h>

#include "cache.h"

/* Looks at a lock that another has: that takes less time than the kernel would. */
#define LOOKS		32

/* Attempts that fail between two searches for a holder that vanished. */
#define SEARCH_EVERY	1024

/* Caches of the depot of a process that has one thread. */
#define ALONE_CACHES	(DEPOT_CACHES < 5 ? DEPOT_CACHES : 5)

/* Times that a bin is left as it is after it could not grow. */
#define REST		15

#define WORDS_OF_LINE	8

/* A bin of each cache for a class and group is a level of a stack. */
static uint32_t cache_of(uint32_t level)
{
	return SHMZONE_CACHES_MAX - 1 - level;
}

static struct shmzone_cache_head *depot_cache(const struct shmz *z, uint32_t level)
{
	return slot_cache(z->slot, cache_of(level));
}

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static bool try_lock(struct depot *d, unsigned int looks)
{
	pid_t self = thread_id(), holder;

	for (;; relax()) {
		holder = load(d->holder);
		if (!holder && __atomic_compare_exchange_n(&d->holder, &holder, self, false,
							   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
		/* This is a signal handler. */
		if (holder == self)
			return false;
		if (!--looks)
			break;
	}
	if (__atomic_add_fetch(&d->misses, 1, __ATOMIC_RELAXED) % SEARCH_EVERY ||
	    !thread_has_vanished(holder))
		return false;
	return __atomic_compare_exchange_n(&d->holder, &holder, self, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void unlock(struct depot *d)
{
	__atomic_store_n(&d->holder, 0, __ATOMIC_RELEASE);
}

/*
 * struct move - from bin to bin
 * @from: words of the cache
 * @out: its bin
 * @to: words of the other
 * @in: its bin
 */
struct move {
	const uint64_t *from;
	struct shmzone_bin *out;
	uint64_t *to;
	struct shmzone_bin *in;
};

static bool has_room(const struct shmzone_bin *b)
{
	return load(b->cur) != load(b->end);
}

/* As the new last one in use. */
static void push(const struct move *m, uint32_t cur, uint64_t offset)
{
	store(m->to[cur], offset);
	barrier();
	store(m->in->cur, cur);
	barrier();
}

/*
 * As many as there are and there is room for, up to @n. Nobody else writes to bins at
 * work, so what was stored need not be loaded again.
 */
static void move(const struct move *m, uint32_t n)
{
	uint32_t from = load(m->out->cur), to = load(m->in->cur);
	uint32_t room = load(m->in->end) - to;
	uint64_t offset;

	for (n = n < room ? n : room; n; n--) {
		offset = load(m->from[from]);
		if (!~offset)
			break;
		store(m->out->cur, --from);
		barrier();
		push(m, ++to, offset);
	}
}

/* Threads' bins may be of half the capacity that is known, and are not to be smaller. */
static bool is_enough(int32_t n, int32_t most)
{
	return n >= 2 && n >= most / 2;
}

static bool is_empty(const uint64_t *words, const struct shmzone_bin *b)
{
	return !~load(words[load(b->cur)]);
}

/*
 * How many slots a bin has room for that is full and large enough, or 0. In group 0 that
 * is told by its end, as all caches have these bins in the same place. To look where its
 * bottom would be is not enough in others: below its true one there may be no memory.
 */
static uint32_t slots_of_full(const struct depot *d, struct shmzone_cache_head *c,
			      uint32_t class, uint32_t group)
{
	int32_t n = 0, most = load(d->capacity[group][class]);
	const struct shmzone_bin *b = bin_of(c, class, group);
	const uint64_t *last = (uint64_t *)c + load(b->cur);

	if (has_room(b))
		return 0;
	if (!group)
		n = most + (int32_t)(load(b->end) - load(d->end[class]));
	else
		while (n < most && ~load(last[-n]))
			n++;
	if (!is_enough(n, most))
		return 0;
	return n < 2 * most ? n : 2 * most;
}

static void move_init(struct move *m, struct shmzone_cache_head *out,
		      struct shmzone_cache_head *in, uint32_t class, uint32_t group)
{
	m->from = (uint64_t *)out;
	m->out = bin_of(out, class, group);
	m->to = (uint64_t *)in;
	m->in = bin_of(in, class, group);
}

/*
 * Another thread wrote to them last. All at once, so that one does not wait for the other,
 * and also those to be taken to be written to, as that is where the next go.
 */
static void fetch_words(const uint64_t *first, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i += WORDS_OF_LINE)
		prefetch_to_write(&first[i]);
	prefetch_to_write(&first[n - 1]);
}

/* The last @n objects of a bin, which are going to be written to. */
static void fetch_objects(const struct shmz *z, struct shmzone_cache_head *own,
			  uint32_t class, uint32_t group, uint32_t n)
{
	const uint64_t *last = (uint64_t *)own + load(bin_of(own, class, group)->cur);
	uint64_t offset;

	/* A signal handler may have taken them. */
	for (; n && ~(offset = load(*last)); n--, last--)
		prefetch_to_write(z->base + offset);
}

/*
 * Half of a bin, and @offset in place of it. That the depot has no room is found
 * out before anything is done.
 */
static bool put_half(const struct depot *d, struct shmzone_cache_head *own,
		     struct shmzone_cache_head *c, uint32_t class, uint32_t group,
		     uint64_t offset)
{
	uint32_t n = slots_of_full(d, own, class, group) / 2;
	uint64_t first, *words = (uint64_t *)own;
	struct move m;

	move_init(&m, own, c, class, group);
	if (!n || !has_room(m.in))
		return false;
	fetch_words(m.to + load(m.in->cur) + 1, n);
	words += load(m.out->cur);
	first = load(*words);
	store(*words, offset);
	barrier();
	push(&m, load(m.in->cur) + 1, first);
	move(&m, n - 1);
	return true;
}

/* It is empty, so that what it has room for is its capacity. Returns how many came. */
static uint32_t take_half(const struct depot *d, struct shmzone_cache_head *own,
			  struct shmzone_cache_head *c, uint32_t class, uint32_t group)
{
	uint32_t n, before, cur;
	struct move m;

	move_init(&m, c, own, class, group);
	before = load(m.in->cur);
	n = load(m.in->end) - before;
	if (!is_enough(n, load(d->capacity[group][class])))
		return 0;
	n /= 2;
	cur = load(m.out->cur);
	n = n < cur ? n : cur;
	if (n)
		fetch_words(m.from + cur + 1 - n, n);
	move(&m, n);
	return load(m.in->cur) - before;
}

/* The thread's cache and the depot, which it has locked: both are at work, or not. */
static bool begin(struct shmzone_cache_head *own, struct shmzone_cache_head *c,
		  uint32_t *key)
{
	*key = load(own->key);
	if (!is_idle(*key))
		return false;
	cache_begin(own, SHMZONE_CACHE_BUSY);
	cache_begin(c, SHMZONE_CACHE_BUSY);
	return true;
}

/* All caches of a process have the same key. */
static void end(struct shmzone_cache_head *own, struct shmzone_cache_head *c,
		uint32_t key)
{
	cache_end(c, key);
	cache_end(own, key);
}

/*
 * The cache that has something, or room for something, of a class and group: that of
 * the level, or one next to it. NULL: the depot is not for it yet.
 */
static struct shmzone_cache_head *find(const struct shmz *z, struct depot *d,
				       uint32_t class, uint32_t group, bool room)
{
	uint8_t *level = &d->level[group][class];
	struct shmzone_cache_head *c, *above;
	const struct shmzone_bin *b;

	if (!d->ready[*level])
		return NULL;
	c = depot_cache(z, *level);
	b = bin_of(c, class, group);
	if (room && !has_room(b) && *level + 1 < DEPOT_CACHES && d->ready[*level + 1]) {
		above = depot_cache(z, *level + 1);
		if (has_room(bin_of(above, class, group)))
			++*level;
	} else if (!room && is_empty((const uint64_t *)c, b) && *level) {
		--*level;
	}
	return depot_cache(z, *level);
}

/* What is going to be looked at is fetched while the lock is. The level is a guess. */
static void fetch_bin(const struct shmz *z, const struct depot *d, uint32_t class,
		      uint32_t group)
{
	struct shmzone_cache_head *c = depot_cache(z, load(d->level[group][class]));

	prefetch_to_write(&c->key);
	if (!group)
		prefetch_to_write(&c->bin[class]);
}

/* To put something there, or to take something; returns how many then, at least 1. */
static uint32_t with_depot(const struct shmz *z, struct shmzone_cache_head *own,
			   uint32_t class, uint32_t group, const uint64_t *put)
{
	struct depot *d = depot_of(z->slot);
	struct shmzone_cache_head *c;
	uint32_t key, done = 0;

	if (!load(d->capacity[group][class]))
		return 0;
	fetch_bin(z, d, class, group);
	if (!try_lock(d, LOOKS))
		return 0;
	c = find(z, d, class, group, put);
	if (c && begin(own, c, &key)) {
		done = put ? put_half(d, own, c, class, group, *put) :
			     take_half(d, own, c, class, group);
		end(own, c, key);
	}
	unlock(d);
	return done;
}

bool depot_put(const struct shmz *z, struct shmzone_cache_head *own,
	       uint32_t class, uint32_t group, uint64_t offset)
{
	return with_depot(z, own, class, group, &offset);
}

bool depot_take(const struct shmz *z, struct shmzone_cache_head *own,
		uint32_t class, uint32_t group)
{
	uint32_t n = with_depot(z, own, class, group, NULL);

	fetch_objects(z, own, class, group, n);
	return n;
}

/* Whether a bin of the depot grew; if not, it may have room now for what the kernel freed. */
static bool grow_bin(const struct shmz *z, struct depot *d, uint32_t level,
		     uint32_t class, uint32_t group)
{
	struct shmzone_cache_drain args = {
		.size = sizeof(args),
		.flags = SHMZONE_CACHE_DRAIN_SHARED,
		.cache = cache_of(level),
		.size_class = class,
		.group = group,
	};

	/* A cache may not be touched before the kernel had memory for it. */
	if (lib_ioctl(z->fd, SHMZONE_CACHE_DRAIN, &args))
		return false;
	d->ready[level] = true;
	d->level[group][class] = level;
	return !args.out_count;
}

/* Let one more bin, or a larger one, take what the thread's own did not. */
static bool grow(const struct shmz *z, struct depot *d, uint32_t class, uint32_t group)
{
	uint32_t level = d->level[group][class];
	uint32_t most = threads_are_many() ? DEPOT_CACHES : ALONE_CACHES;
	struct shmzone_cache_head *c = depot_cache(z, level);

	if (d->ready[level] && has_room(bin_of(c, class, group)))
		return true;
	if (d->ready[level] && slots_of_full(d, c, class, group))
		level++;
	/* A cache whose bins have all that it may have is followed by the next one. */
	return level < most && (grow_bin(z, d, level, class, group) ||
				(level + 1 < most && d->ready[level] &&
				 grow_bin(z, d, level + 1, class, group)));
}

/*
 * Take note of the capacity of a bin: it is what there is in it, down to the word at its
 * bottom, and what it has room for. If it has just been taken back, that is nothing.
 */
static bool learn(struct depot *d, struct shmzone_cache_head *own, uint32_t class,
		  uint32_t group)
{
	const struct shmzone_bin *b = bin_of(own, class, group);
	uint32_t key = load(own->key), end, n;
	const uint64_t *last;

	if (!is_idle(key))
		return false;
	cache_begin(own, SHMZONE_CACHE_BUSY);
	last = (uint64_t *)own + load(b->cur);
	end = load(b->end);
	for (n = end - load(b->cur); ~load(*last); last--)
		n++;
	cache_end(own, key);
	if (!n)
		return false;
	store(d->capacity[group][class], n);
	if (!group)
		store(d->end[class], end);
	return true;
}

void depot_grow(const struct shmz *z, struct shmzone_cache_head *own,
		uint32_t class, uint32_t group)
{
	struct depot *d = depot_of(z->slot);
	uint8_t *at = &d->rest[group][class], rest = load(*at);

	if (rest) {
		store(*at, rest - 1);
		return;
	}
	/* This thread has just been to the kernel, and others may be now. */
	if (!try_lock(d, 1))
		return;
	if (learn(d, own, class, group) && !grow(z, d, class, group))
		store(*at, REST);
	unlock(d);
}
