/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stand-in for the device: zones in this very process.
 *
 * It has the functions of userlib/src/syscall.c, and is linked in its place, so
 * that the library can be tested and measured over the core without the module.
 * It pays what the module pays: copies of structures, the look-up of descriptor
 * and client, a cache's mutex; and for each ioctl as many real ones, which do
 * nothing, as SHMZONE_HOST_CHARGE says (1). It knows what the library asks for,
 * and no more: no names, no rights, no strict zones, no waiting.
 *
 * The memory of zones is shared with children of fork(2), that of caches reads
 * as zeros there, as with the module; but the allocator is a copy. A child may
 * thus use a zone for tests, as long as it writes nothing that the parent
 * still needs.
 *
 * Built for tests, calls are not interrupted by signals, as those of a kernel
 * are not, and device_fork() finds no thread inside of one. Caches are only
 * reclaimed rightly while their threads rest: nothing is unmapped.
 */
#ifndef SHMZONE_HOST_DEVICE_H
#define SHMZONE_HOST_DEVICE_H

#include "host.h"
#include "../../kmod/core/heap.h"
#include "../../kmod/core/magazine.h"

#include <linux/shmzone.h>

struct client;

#define DEVICE_PROCESSES	16	/* buckets */

/**
 * struct zone - a zone, and its descriptor
 * @refs: one for the descriptor, and one for each call
 * @heap: its objects
 * @bytes: its size
 * @id: its number
 * @map_fd: the page map's file
 * @map: the page map
 * @stock: bytes of slots that magazines have room for
 * @bad: bins that were found to be wrong, in clients that are gone
 * @clients: by process
 */
struct zone {
	_Atomic u32 refs;
	struct heap *heap;
	u64 bytes;
	u64 id;
	int map_fd;
	u32 *map;
	atomic64_t stock;
	atomic64_t bad;
	struct client *clients[DEVICE_PROCESSES];
};

/* Zeros in children, as the memory of caches; NULL for want of memory. */
void *device_area(void *at, size_t bytes);

/* The number of this process: it changes with each fork(2) of whatever kind. */
u64 device_process(void);

/* The commands of device_client.c. Each returns 0 or a negative errno. */
int client_map(struct zone *zone, void **area, size_t bytes);
int client_refill(struct zone *zone, void *cmd);
int client_drain(struct zone *zone, void *cmd);
int client_number(struct zone *zone, void *cmd);
int client_reclaim(struct zone *zone, void *cmd);
void clients_stock(struct zone *zone, struct shmzone_stat *stat);

/* Ends a call's use of a zone; the last one frees it. */
void device_put(struct zone *zone);

/* What is mapped of caches ends here, whoever's zone it was. */
void device_forget_area(void *area);

/**
 * device_fork() - fork() at a moment when no thread is inside of a call
 * @bare: by a system call of its own
 */
int device_fork(bool bare);

/* The heap of a zone, for tests. */
struct heap *device_heap(int fd);

/* Calls made so far, of all commands. */
u64 device_calls(void);

#endif /* SHMZONE_HOST_DEVICE_H */
