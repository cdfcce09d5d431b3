// SPDX-License-Identifier: GPL-2.0
/*
 * For races.c: what peers race for in a zone, which is its roots, what may still
 * be done after a seal, memory that is waited for, and descriptors that are
 * closed under their users.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "races.h"

/* roots: round the objects, one step for each swap that succeeds. */
static int root_call(struct shmzone_root_set *set, const char *name)
{
	set->size = sizeof(*set);
	set->name = to_u64(name);
	set->name_len = strlen(name);
	return _try_call(shared->zone, SHMZONE_ROOT_SET, set);
}

void swap_root(__u64 *random)
{
	struct shmzone_root_get get = { SIZED(shmzone_root_get), NAMED("ring") };
	struct shmzone_root_set set = { .flags = SHMZONE_ROOT_SET_CAS };
	int i = 0, ret;

	if (_try_call(shared->zone, SHMZONE_ROOT_GET, &get))
		wrong("get a root", 0);
	while (i < OBJECTS && shared->objects[i] != get.out_offset)
		i++;
	if (i == OBJECTS)
		return wrong("a root has a value that nobody gave it", i);
	set.expected = get.out_offset;
	set.offset = shared->objects[(i + 1) % OBJECTS];
	ret = root_call(&set, "ring");
	expect("swap a root", ret, ALLOW(EAGAIN));
	if (!ret)
		__atomic_add_fetch(&shared->swaps, 1, __ATOMIC_SEQ_CST);
}

void set_and_remove_roots(__u64 *random)
{
	struct shmzone_root_set set = { .offset = shared->objects[0] };
	char name[16];

	snprintf(name, sizeof(name), "r%u", next_random(random) % 64);
	if (root_call(&set, name))
		wrong("set a root", 0);
	memset(&set, 0, sizeof(set));
	if (root_call(&set, name))
		wrong("remove a root", 0);
}

void list_roots(__u64 *random)
{
	struct shmzone_root roots[16];
	struct shmzone_root_list list = {
		SIZED(shmzone_root_list), .roots = to_u64(roots), .count = 16,
		.root_size = sizeof(roots[0]), .after = to_u64("q"), .after_len = 1,
	};
	__u32 i;

	if (_try_call(shared->zone, SHMZONE_ROOT_LIST, &list))
		return wrong("list the roots", 0);
	if (!list.out_count)
		wrong("a root that is always there is not listed", 0);
	for (i = 1; i < list.out_count; i++)
		if (strcmp(roots[i - 1].name, roots[i].name) >= 0)
			wrong("roots are not in order", i);
}

void begin_roots(void)
{
	struct shmzone_root_set set = { 0 };

	_try_alloc(shared->zone, 64, OBJECTS, shared->objects);
	set.offset = shared->objects[0];
	root_call(&set, "ring");
}

void swaps_add_up(void)
{
	struct shmzone_root_get get = { SIZED(shmzone_root_get), NAMED("ring") };

	_try_call(shared->zone, SHMZONE_ROOT_GET, &get);
	if (get.out_offset != shared->objects[shared->swaps % OBJECTS])
		wrong("a swap was lost", shared->swaps);
	if (!shared->swaps)
		wrong("nobody ever swapped", 0);
}

/* seals: what begins after a seal was set is refused. */
void try_what_seals_forbid(__u64 *random)
{
	bool sealed = __atomic_load_n(&shared->sealed, __ATOMIC_SEQ_CST);
	__u64 offset;
	void *map;
	int ret;

	ret = _try_alloc(shared->zone, 64, 1, &offset);
	expect("alloc beside seals", ret, ALLOW(EPERM, ENOMEM));
	if (sealed && ret != -EPERM)
		wrong("alloc after a seal", ret);
	if (ret == 1)
		_try_free_at(shared->zone, offset);
	ret = _try_set_limit(shared->zone, MIB);
	expect("set the limit beside seals", ret, ALLOW(EPERM));
	if (sealed && ret != -EPERM)
		wrong("a limit after a seal", ret);
	map = map_data(shared->zone, MIB, PROT_READ | PROT_WRITE);
	if (map != MAP_FAILED) {
		munmap(map, MIB);
		if (sealed)
			wrong("a writable mapping after a seal", 0);
	}
	if (sealed)
		usleep(1000);
}

void seal_after_a_while(__u64 *random)
{
	usleep(next_random(random) % 200000);
	expect("seal", _try_add_seals(shared->zone, 1U << (1 + next_random(random) % 3)),
	       ALLOW(EPERM));
	expect("seal", _try_add_seals(shared->zone, 14), ALLOW(EPERM));
	__atomic_store_n(&shared->sealed, 1, __ATOMIC_SEQ_CST);
	_try_add_seals(shared->zone, SHMZONE_SEAL_SEAL);
}

/* waiting: nobody waits for ever while the others go on. */
void wait_for_memory(__u64 *random)
{
	__u64 bytes = (16 + next_random(random) % 200) * page_bytes(), offset;
	int ret = _try_alloc_wait(shared->zone, bytes, 1, 60000000000ULL, &offset);

	if (ret != 1)
		return wrong("somebody waited for nothing", ret);
	__atomic_add_fetch(&shared->waits, 1, __ATOMIC_RELAXED);
	if (next_random(random) % 4 == 0)
		usleep(500);
	if (_try_free_at(shared->zone, offset) != 1)
		wrong("what was waited for cannot be freed", 0);
}

void give_up_waiting(__u64 *random)
{
	__u64 offset;
	int ret = _try_alloc_wait(shared->zone, MIB, 1, next_random(random) % 300000 + 1,
				  &offset);

	expect("wait a little", ret, ALLOW(ETIMEDOUT));
	if (ret == 1 && _try_free_at(shared->zone, offset) != 1)
		wrong("what was waited for cannot be freed", 0);
}

void poll_for_memory(__u64 *random)
{
	struct pollfd poll_fd = { .fd = shared->zone, .events = POLLOUT };
	int ret = poll(&poll_fd, 1, 60000);

	if (ret != 1)
		wrong("poll waited for nothing", ret);
	alloc_and_free(random);
}

/* Whose answer cannot be written, so that nothing is lost with him. */
void waiter_is_killed(__u64 *random)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			_try_alloc_wait(shared->zone, MIB / 2, 1, 0, NULL);
	usleep(next_random(random) % 3000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void somebody_waited(void)
{
	if (!shared->waits)
		wrong("nobody ever got what he waited for", 0);
	all_is_free();
}

/* descriptors: one thread's are closed by another. */
static int table[4] = { -1, -1, -1, -1 };

void replace_descriptor(__u64 *random)
{
	int *slot = &table[next_random(random) % 4];
	int zone = _try_reopen(shared->zone, next_random(random) & 1);

	if (zone < 0)
		return wrong("reopen", zone);
	zone = __atomic_exchange_n(slot, zone, __ATOMIC_SEQ_CST);
	if (zone >= 0)
		close(zone);
}

void use_descriptor(__u64 *random)
{
	int zone = __atomic_load_n(&table[next_random(random) % 4], __ATOMIC_SEQ_CST);
	struct pollfd poll_fd = { .fd = zone, .events = POLLOUT };
	struct shmzone_stat stat;
	__u64 offset;
	void *map;
	int ret;

	if (zone < 0)
		return;
	expect("stat", _try_stat(zone, &stat), ALLOW(EBADF));
	ret = _try_alloc(zone, 64, 1, &offset);
	expect("alloc", ret, ALLOW(EBADF, EACCES));
	if (ret == 1 && _try_free_at(shared->zone, offset) != 1)
		wrong("free through another descriptor", 0);
	map = map_data(zone, MIB, PROT_READ);
	if (map != MAP_FAILED)
		munmap(map, MIB);
	poll(&poll_fd, 1, 0);
}
