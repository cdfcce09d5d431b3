// SPDX-License-Identifier: GPL-2.0
/*
 * DPDK's rte_mempool as an allocator, to be loaded as any other: see allocator.c.
 *
 * A pool has objects of one size, here 64 bytes, with a cache for each thread
 * that DPDK knows, which threads are made known by their first use. It is run
 * without huge pages.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#define OBJECT_BYTES	64
#define OBJECTS		65535
#define CACHED		512	/* the most there can be */

static struct rte_mempool *pool;
static pthread_key_t known;

bool peer_begin(size_t bytes);
void *peer_take(size_t bytes);
void peer_drop(void *object);

static void forget(void *arg)
{
	(void)arg;
	rte_thread_unregister();
}

static __rte_noinline void make_known(void)
{
	if (!rte_thread_register())
		pthread_setspecific(known, &known);
}

bool peer_begin(size_t bytes)
{
	static char any[32];	/* its main thread may run anywhere, as it could before */
	char *arguments[] = {
		"bench", "--no-huge", "--no-shconf", "-m", "64", "--no-pci", "--no-telemetry",
		"--log-level=1", "--lcores", any,
	};

	snprintf(any, sizeof(any), "0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	if (bytes != OBJECT_BYTES || pthread_key_create(&known, forget))
		return false;
	if (rte_eal_init(sizeof(arguments) / sizeof(*arguments), arguments) < 0)
		return false;
	pool = rte_mempool_create("bench", OBJECTS, OBJECT_BYTES, CACHED, 0, NULL, NULL, NULL,
				  NULL, SOCKET_ID_ANY, 0);
	return pool;
}

void *peer_take(size_t bytes)
{
	void *object;

	(void)bytes;
	if (rte_lcore_id() == LCORE_ID_ANY)
		make_known();
	return rte_mempool_get(pool, &object) ? NULL : object;
}

void peer_drop(void *object)
{
	if (rte_lcore_id() == LCORE_ID_ANY)
		make_known();
	rte_mempool_put(pool, object);
}
