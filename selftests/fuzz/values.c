// SPDX-License-Identifier: GPL-2.0
/*
 * What the numbers in a program stand for: descriptors, mappings, offsets, edge
 * numbers, and pointers of every kind that a kernel may be given: into memory of
 * the program, across its end, to what can only be read or not at all, to the
 * kernel's own, and into mappings of a zone and of its page map.
 *
 * Nothing but the program and what the kernel answered decides on a value.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../utils.h"
#include "fuzz.h"

#define ARENA_BYTES	(64 * KIB)

struct state state;

/* Structures, arrays to read, arrays to fill: a third each, none behind it. */
static char *arena, *read_only, *nothing;

static char names[NAMES][SHMZONE_NAME_MAX + 2];

const char *name_prefix(unsigned int worker)
{
	static char prefix[WORKERS_MAX][NAME_BYTES];

	snprintf(prefix[worker], NAME_BYTES, "fuzz%u-", worker);
	return prefix[worker];
}

/* Names of the worker's own: few, so that programs meet. Some are too long. */
void names_init(unsigned int worker)
{
	unsigned int i;

	for (i = 0; i < NAMES; i++)
		snprintf(names[i], sizeof(names[i]), "%s%u", name_prefix(worker), i);
	for (i = NAMES - 3; i < NAMES; i++)
		memset(names[i] + strlen(names[i]), 'n',
		       i == NAMES - 3 ? SHMZONE_ROOT_NAME_MAX - strlen(names[i]) :
		       i == NAMES - 2 ? SHMZONE_NAME_MAX - strlen(names[i]) :
		       SHMZONE_NAME_MAX + 1 - strlen(names[i]));
	names[NAMES - 4][5] = '/';
}

bool state_init(int control, int zone)
{
	state.fds[0] = control;
	state.fds[1] = zone;
	arena = mmap(NULL, ARENA_BYTES + 2 * page_bytes(), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		return false;
	nothing = arena + ARENA_BYTES;
	read_only = nothing + page_bytes();
	return !mprotect(nothing, page_bytes(), PROT_NONE) &&
	       !mprotect(read_only, page_bytes(), PROT_READ);
}

/* As before the first program, but for mappings that were moved away. */
void state_reset(void)
{
	int control = state.fds[0], zone = state.fds[1];
	unsigned int i;

	for (i = 0; i < MAPS_MAX; i++)
		if (state.maps[i].bytes)
			munmap(state.maps[i].at, state.maps[i].bytes);
	memset(&state, 0, sizeof(state));
	for (i = 0; i < FDS_MAX; i++)
		state.fds[i] = -1;
	state.fds[0] = control;
	state.fds[1] = zone;
	state.newest = 1;
	memset(arena, 0, ARENA_BYTES);
}

/* The slots are used in turn; what was in one is closed, or left to leak. */
void state_add_fd(int fd)
{
	state.newest = state.newest % (FDS_MAX - 1) + 1;
	if (state.fds[state.newest] > 2 && state.newest > 1)
		close(state.fds[state.newest]);
	state.fds[state.newest] = fd;
}

void state_add_map(void *at, size_t bytes)
{
	struct map *map;

	state.newest_map = (state.newest_map + 1) % MAPS_MAX;
	map = &state.maps[state.newest_map];
	if (map->bytes)
		munmap(map->at, map->bytes);
	map->at = at;
	map->bytes = bytes;
}

void state_add_offset(uint64_t offset)
{
	state.newest_offset = (state.newest_offset + 1) % OFFSETS_MAX;
	state.offsets[state.newest_offset] = offset;
}

int fd_value(uint16_t raw, bool control)
{
	if (!raw)
		return control ? state.fds[0] : state.fds[state.newest];
	return state.fds[(raw - 1) % FDS_MAX];
}

struct map *map_value(uint16_t raw)
{
	return &state.maps[raw ? (raw - 1) % MAPS_MAX : state.newest_map];
}

/* Small numbers are themselves; of the others, the upper byte chooses how. */
uint64_t number_value(uint16_t raw, uint64_t otherwise)
{
	unsigned int low = raw & 0xff, how = raw >> 8;

	if (!raw)
		return otherwise;
	if (!how)
		return low;
	switch (how % 8) {
	case 0:
		return 1ULL << low % 64;
	case 1:
		return (1ULL << low % 64) - 1;
	case 2:
		return (1ULL << low % 64) + 1;
	case 3:
		return -(uint64_t)low;
	case 4:
		return low * page_bytes();
	case 5:
		return low * page_bytes() + how / 8 - 16;
	case 6:
		return otherwise + low - 128;
	default:
		return raw * 0x9e3779b97f4a7c15ULL;
	}
}

uint64_t object_value(uint16_t raw)
{
	if (!raw)
		return state.offsets[state.newest_offset];
	if (raw <= OFFSETS_MAX)
		return state.offsets[raw - 1];
	return number_value(raw, 0);
}

/* What a pointer had better not be. */
static void *bad_pointer(uint16_t raw)
{
	unsigned int which = raw % 10, more = raw / 10;
	const struct map *map = map_value(more % MAPS_MAX + 1);

	switch (which) {
	case 0:
		return NULL;
	case 1:
		return (void *)(uintptr_t)(1 + more);
	case 2:
		return (void *)0xffff888000000000ULL;
	case 3:
		return (void *)(0x00007ffffffff000ULL - more % 64);
	case 4:
		return (void *)0x8000000000000000ULL;
	case 5:
		return nothing;
	case 6:	/* begins well, and ends where there is nothing */
		return nothing - more % 256;
	case 7:
		return read_only;
	default:
		return map->bytes ? map->at + more * 8 % map->bytes : nothing;
	}
}

void *structure_value(uint16_t raw)
{
	return raw ? bad_pointer(raw) : arena;
}

/* An array of what was allocated: all, one after the other, again and again. */
void *from_value(uint16_t raw)
{
	uint64_t *array = (uint64_t *)(arena + ARENA_BYTES / 4);
	unsigned int i;

	if (raw >= OFFSETS_MAX)
		return bad_pointer(raw);
	for (i = 0; i < SHMZONE_BATCH_MAX / 8; i++)
		array[i] = state.offsets[(state.newest_offset + OFFSETS_MAX * 64 + raw - i) %
					 OFFSETS_MAX];
	return array;
}

void *to_value(uint16_t raw)
{
	return raw ? bad_pointer(raw) : arena + ARENA_BYTES / 2;
}

void *name_value(uint16_t raw, uint64_t *length)
{
	if (raw == NAMES + 1) {
		*length = 0;
		return NULL;
	}
	if (raw > NAMES) {
		*length = raw % SHMZONE_NAME_MAX;
		return bad_pointer(raw);
	}
	/* The zone all programs of a worker share has the name 0. */
	if (raw)
		raw--;
	*length = strlen(names[raw]);
	return names[raw];
}
