// SPDX-License-Identifier: GPL-2.0
/*
 * What tests of the library over the stand-in share, see userlib.h.
 *
 * Objects are filled to their ends with a mark of whoever has them, so that one
 * that is handed out twice is found by either owner.
 */
#include "userlib.h"

struct shmz *zone_begin(void)
{
	struct shmz *z = shmz_create(NULL, ZONE_BYTES, NULL);

	if (!z)
		abort();
	return z;
}

static void get_stat(struct shmz *z, struct shmzone_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->size = sizeof(*stat);
	CHECK_EQ(shmz_stat(z, stat), 0);
}

void zone_end(struct shmz *z)
{
	struct shmzone_stat stat;

	CHECK(shmz_reclaim_caches(z) >= 0);
	get_stat(z, &stat);
	CHECK_EQ(stat.out_live_objects, 0);
	CHECK_EQ(stat.out_cached_objects, 0);
	CHECK_EQ(stat.out_bad_bins, 0);
	CHECK_NULL(heap_check(device_heap(shmz_fd(z))));
	shmz_close(z);
}

u64 zone_refused(struct shmz *z)
{
	struct shmzone_stat stat;

	get_stat(z, &stat);
	return stat.out_bad_outside + stat.out_bad_misaligned + stat.out_bad_interior +
	       stat.out_bad_not_live + stat.out_bad_bytes;
}

void hold(struct shmz *z, struct held *held, u64 *seed, u8 mark)
{
	held->bytes = 1 + host_random(seed) % (1 << host_random(seed) % 16);
	held->group = host_random(seed) % 4 ? 0 : host_random(seed) % SHMZONE_GROUPS;
	held->p = shmz_alloc_group(z, held->bytes, held->group);
	if (held->p)
		memset(held->p, mark, held->bytes);
}

static bool is_filled(const struct held *held, u8 mark)
{
	return held->p[0] == mark && !memcmp(held->p, held->p + 1, held->bytes - 1);
}

bool let_go(struct shmz *z, struct held *held, u64 *seed, u8 mark)
{
	void *p = held->p;

	if (!is_filled(held, mark) || shmz_group_of(z, p) != (int)held->group)
		return false;
	memset(p, 0, held->bytes);
	held->p = NULL;
	if (!held->group && host_random(seed) % 2)
		return !shmz_free_sized(z, p, held->bytes);
	return !shmz_free(z, p);
}

static _Atomic u32 troubles;

void require_at(bool right, int line)
{
	if (!right && !troubles++)
		printf("# line %d\n", line);
}

void run_threads(u32 n, void *(*function)(void *arg))
{
	pthread_t thread[n];
	uintptr_t i;

	for (i = 0; i < n; i++)
		pthread_create(&thread[i], NULL, function, (void *)(i + 1));
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

void no_troubles(void)
{
	CHECK_EQ(troubles, 0);
	troubles = 0;
}

void end_run(struct shmz *zone)
{
	no_troubles();
	CHECK_EQ(zone_refused(zone), 0);
	zone_end(zone);
}
