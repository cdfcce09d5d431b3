/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of races.c share: what the processes of a race have in common,
 * and the roles. A role is called again and again with its thread's random state.
 */
#ifndef SHMZONE_SELFTESTS_RACES_H
#define SHMZONE_SELFTESTS_RACES_H

#include "caches.h"
#include "crowd.h"

#define ZONE_BYTES	(16 * MIB)
#define OBJECTS		8
#define WAYS		4

/* Mapped by all processes of a race. */
struct shared {
	char name[32];
	int control, zone;
	__u64 objects[OBJECTS];
	unsigned long swaps, rounds, waits;
	int sealed;
	/* What is on offer by whom, and what was given to nobody. */
	struct {
		__u64 offset, client;
	} offers[WAYS];
	__u64 nobodys[WAYS];
	unsigned long taken;
	bool over;
	struct wrong wrong;
};

extern struct shared *shared;

/* 0 ends the list of errors that may come of a call. */
#define ALLOW(...)	((const int[]) { __VA_ARGS__, 0 })

void wrong(const char *what, int ret);
void expect(const char *what, int ret, const int *allowed);

/* races_zone.c: names, limits, mappings */
void create_or_open(__u64 *random);
void create_for_good(__u64 *random);
void open_by_name(__u64 *random);
void unlink_name(__u64 *random);
void list_and_permit(__u64 *random);
void forget_name(void);
void alloc_and_free(__u64 *random);
void change_limit(__u64 *random);
void ask_figures(__u64 *random);
void check(__u64 *random);
void all_is_free(void);
void map_touch_and_unmap(__u64 *random);
void write_to_a_span(__u64 *random);
void fork_with_a_mapping(__u64 *random);

/* races_peers.c: roots, seals, waiting, descriptors */
void swap_root(__u64 *random);
void set_and_remove_roots(__u64 *random);
void list_roots(__u64 *random);
void begin_roots(void);
void swaps_add_up(void);
void try_what_seals_forbid(__u64 *random);
void seal_after_a_while(__u64 *random);
void wait_for_memory(__u64 *random);
void give_up_waiting(__u64 *random);
void poll_for_memory(__u64 *random);
void waiter_is_killed(__u64 *random);
void somebody_waited(void);
void replace_descriptor(__u64 *random);
void use_descriptor(__u64 *random);

/* races_owners.c: objects that go from hand to hand, and caches */
void be_a_client(void);
void offer_one(__u64 *random);
void give_one(__u64 *random);
void take_any(__u64 *random);
void use_a_cache(__u64 *random);
void client_ends(__u64 *random);
void begin_owners(void);
void nothing_is_left(void);

#endif /* SHMZONE_SELFTESTS_RACES_H */
