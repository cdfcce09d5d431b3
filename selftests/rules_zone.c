// SPDX-License-Identifier: GPL-2.0
/*
 * The rules on names, lifetime, rights of descriptors, limits and ceilings.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caches.h"
#include "rules.h"

static int open_other_name(struct place *p, int arg)
{
	return _try_open_zone(p->control, "a name that nobody has", 0);
}

static int unlink_other_name(struct place *p, int arg)
{
	return _try_unlink_zone(p->control, "a name that nobody has");
}

static int permit_other_name(struct place *p, int arg)
{
	return _try_chmod_name(p->control, "a name that nobody has", 0600);
}

static int create_flagged(struct place *p, int flags)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = flags,
		.zone_bytes = MIB,
		NAMED(p->name),
	};

	return _try_call(p->control, SHMZONE_CREATE, &args);
}

static int create_unnamed(struct place *p, int flags)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = flags,
		.zone_bytes = MIB,
	};

	return _try_call(p->control, SHMZONE_CREATE, &args);
}

static int create_mode(struct place *p, int mode)
{
	return _try_create_named(p->control, "another name", mode);
}

static int create_of_length(struct place *p, int length)
{
	char name[512] = "";

	memset(name, 'x', length);
	return _try_create_named(p->control, name, 0600);
}

static int create_in_directory(struct place *p, int arg)
{
	return _try_create_named(p->control, "a/b", 0600);
}

static int create_with_a_nul(struct place *p, int arg)
{
	struct shmzone_create args = {
		SIZED(shmzone_create), .zone_bytes = MIB, .name = to_u64("a\0b"), .name_len = 3,
	};

	return _try_call(p->control, SHMZONE_CREATE, &args);
}

static int create_named_nowhere(struct place *p, int arg)
{
	struct shmzone_create args = {
		SIZED(shmzone_create), .zone_bytes = MIB, .name = 8, .name_len = 3,
	};

	return _try_call(p->control, SHMZONE_CREATE, &args);
}

static int create_too_large(struct place *p, int arg)
{
	return _try_create(p->control, 1ULL << 62);
}

static int create_limited_beyond(struct place *p, int arg)
{
	return _try_create_limited(p->control, MIB, 2 * MIB);
}

static int create_of_bytes(struct place *p, int bytes)
{
	return _try_create(p->control, bytes);
}

static int permit_bits(struct place *p, int mode)
{
	return _try_chmod_name(p->control, p->name, mode);
}

static int permit_nothing(struct place *p, int arg)
{
	return _try_permit(p->control, p->name, 0, 0, 0, 0);
}

static int permit_to_nobody(struct place *p, int which)
{
	return _try_permit(p->control, p->name, which, 0, which == SHMZONE_PERMIT_UID ? -1 : 0,
			   which == SHMZONE_PERMIT_GID ? -1 : 0);
}

static int list_nothing(struct place *p, int arg)
{
	__u64 cursor = 0;

	return _try_list(p->control, &cursor, 0, NULL);
}

static int open_unlinked(struct place *p, int arg)
{
	_try_unlink_zone(p->control, p->name);
	return _try_open_zone(p->control, p->name, 0);
}

static int open_ended(struct place *p, int arg)
{
	close(p->reader);
	close(p->zone);
	return _try_open_zone(p->control, p->name, 0);
}

static int open_elsewhere(struct place *p, int arg)
{
	if (unshare(CLONE_NEWIPC) && !enter_user_namespace(CLONE_NEWIPC))
		return WRONG;
	return _try_open_zone(p->control, p->name, 0);
}

const struct rule name_rules[] = {
	{ "open of a name nobody has", -ENOENT, open_other_name },
	{ "unlink of a name nobody has", -ENOENT, unlink_other_name },
	{ "permit of a name nobody has", -ENOENT, permit_other_name },
	{ "open of a name of another namespace", -ENOENT, open_elsewhere },
	{ "open of a name that was unlinked", -ENOENT, open_unlinked },
	{ "open of a name whose zone has ended", -ENOENT, open_ended },
	{ "exclusive create of a name in use", -EEXIST, create_flagged, SHMZONE_CREATE_EXCL },
	{ "exclusive create without a name", -EINVAL, create_unnamed, SHMZONE_CREATE_EXCL },
	{ "persistence without a name", -EINVAL, create_unnamed, SHMZONE_CREATE_PERSIST },
	{ "an unknown flag", -EOPNOTSUPP, create_unnamed, 1 << 30 },
	{ "a name with a slash", -EINVAL, create_in_directory },
	{ "a name with a zero", -EINVAL, create_with_a_nul },
	{ "a name of no length", -EINVAL, create_of_length, 0 },
	{ "a name that is nowhere", -EFAULT, create_named_nowhere },
	{ "a name too long", -ENAMETOOLONG, create_of_length, SHMZONE_NAME_MAX + 1 },
	{ "a name to be executed", -EINVAL, create_mode, 0700 },
	{ "a name with a sticky bit", -EINVAL, create_mode, 01600 },
	{ "permit to execute", -EINVAL, permit_bits, 0611 },
	{ "permit of nothing", -EINVAL, permit_nothing },
	{ "permit to an owner who is none", -EINVAL, permit_to_nobody, SHMZONE_PERMIT_UID },
	{ "permit to a group that is none", -EINVAL, permit_to_nobody, SHMZONE_PERMIT_GID },
	{ "a list of nothing", -EINVAL, list_nothing },
	{ "a zone of no whole pages", -EINVAL, create_of_bytes, 100000 },
	{ "a zone of nothing", -EINVAL, create_of_bytes, 0 },
	{ "a zone beyond the largest", -EOVERFLOW, create_too_large },
	{ "a zone limited beyond its size", -EINVAL, create_limited_beyond },
	{}
};

static int read_and_alloc(struct place *p, int arg)
{
	__u64 offset;

	return _try_alloc(p->reader, 100, 1, &offset);
}

static int read_and_wait(struct place *p, int arg)
{
	__u64 offset;

	return _try_alloc_wait(p->reader, 100, 1, 1000, &offset);
}

static int read_and_free(struct place *p, int arg)
{
	return _try_free_at(p->reader, p->object);
}

static int read_and_limit(struct place *p, int arg)
{
	return _try_set_limit(p->reader, MIB);
}

static int read_and_seal(struct place *p, int arg)
{
	return _try_add_seals(p->reader, SHMZONE_SEAL_LIMIT);
}

static int read_and_reopen(struct place *p, int arg)
{
	return _try_reopen(p->reader, 0);
}

static int read_and_root(struct place *p, int arg)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set), NAMED("root"), .offset = p->object,
	};

	return _try_call(p->reader, SHMZONE_ROOT_SET, &args);
}

static int read_and_map_caches(struct place *p, int prot)
{
	return mapped(mmap(NULL, SHMZONE_CACHE_BYTES, prot, MAP_SHARED, p->reader,
			   SHMZONE_MMAP_CACHES));
}

static int read_and_refill(struct place *p, int arg)
{
	if (_try_map_caches(p->zone, 1))
		return WRONG;
	return _try_refill(p->reader, 0, class_of(p->zone, 64), 0, NULL);
}

static int read_and_drain(struct place *p, int arg)
{
	if (_try_map_caches(p->zone, 1))
		return WRONG;
	return _try_drain(p->reader, 0, class_of(p->zone, 64), 0, NULL);
}

static int read_and_reclaim(struct place *p, int arg)
{
	return _try_reclaim(p->reader, NULL);
}

static int read_and_map(struct place *p, int prot)
{
	return mapped(map_data(p->reader, MIB, prot));
}

static int widen(struct place *p, int prot)
{
	void *data = map_data(p->reader, MIB, PROT_READ);

	return data == MAP_FAILED ? WRONG : mprotect(data, MIB, prot) ? -errno : 0;
}

static int store(struct place *p, int arg)
{
	void *data = map_data(p->reader, MIB, PROT_READ);

	return data == MAP_FAILED ? WRONG : signalled(touch_write(data));
}

/* The inode is root's, whom alone the kernel tells more than EACCES. */
static int open_again(struct place *p, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->reader);
	if (open(path, flags) >= 0)
		return 0;
	return errno == EACCES ? -ENXIO : -errno;
}

static int map_private(struct place *p, int arg)
{
	return mapped(mmap(NULL, MIB, PROT_READ, MAP_PRIVATE, p->zone, 0));
}

static int map_beyond(struct place *p, int arg)
{
	return mapped(map_data(p->zone, 2 * PLACE_BYTES, RW));
}

static int map_and_execute(struct place *p, int arg)
{
	void *data = map_data(p->zone, MIB, RW);

	return data == MAP_FAILED ? WRONG : mprotect(data, MIB, RW | PROT_EXEC) ? -errno : 0;
}

static int map_pages_to_write(struct place *p, int arg)
{
	return mapped(map_pages(p->zone, PLACE_BYTES, RW));
}

static int map_pages_privately(struct place *p, int arg)
{
	return mapped(mmap(NULL, page_bytes(), PROT_READ, MAP_PRIVATE, p->zone,
			   SHMZONE_MMAP_PAGE_MAP));
}

static int map_pages_beyond(struct place *p, int arg)
{
	return mapped(map_pages(p->zone, 2 * PLACE_BYTES, PROT_READ));
}

static int map_caches_twice(struct place *p, int arg)
{
	return _try_map_caches(p->zone, 1) ? WRONG : _try_map_caches(p->zone, 1);
}

static int map_bytes_of_caches(struct place *p, int bytes)
{
	return mapped(mmap(NULL, bytes, RW, MAP_SHARED, p->zone, SHMZONE_MMAP_CACHES));
}

static int map_caches_privately(struct place *p, int arg)
{
	return mapped(mmap(NULL, SHMZONE_CACHE_BYTES, RW, MAP_PRIVATE, p->zone,
			   SHMZONE_MMAP_CACHES));
}

static int refill_without_caches(struct place *p, int arg)
{
	return _try_refill(p->zone, 0, class_of(p->zone, 64), 0, NULL);
}

static int free_twice(struct place *p, int arg)
{
	if (_try_free_at(p->zone, p->object) != 1)
		return WRONG;
	return _try_free_at(p->zone, p->object);
}

static int free_inside(struct place *p, int arg)
{
	return _try_free_at(p->zone, p->object + arg);
}

static int command_of_the_other(struct place *p, int arg)
{
	return arg ? _try_open_zone(p->zone, p->name, 0) : _try_get_seals(p->control);
}

const struct rule right_rules[] = {
	{ "reading: allocate", -EACCES, read_and_alloc },
	{ "reading: wait", -EACCES, read_and_wait },
	{ "reading: free", -EACCES, read_and_free },
	{ "reading: change the limit", -EACCES, read_and_limit },
	{ "reading: add a seal", -EACCES, read_and_seal },
	{ "reading: reopen to write", -EACCES, read_and_reopen },
	{ "reading: set a root", -EACCES, read_and_root },
	{ "reading: map caches", -EACCES, read_and_map_caches, RW },
	{ "reading: map caches to read", -EACCES, read_and_map_caches, PROT_READ },
	{ "reading: refill", -EACCES, read_and_refill },
	{ "reading: drain", -EACCES, read_and_drain },
	{ "reading: take stock back", -EACCES, read_and_reclaim },
	{ "reading: map to write", -EACCES, read_and_map, RW },
	{ "reading: make a mapping writable", -EACCES, widen, RW },
	{ "reading: make a mapping executable", -EACCES, widen, PROT_READ | PROT_EXEC },
	{ "reading: a store", SIGNAL(SIGSEGV), store },
	{ "reading: open again to write", -ENXIO, open_again, O_RDWR },
	{ "reading: open again to read", -ENXIO, open_again, O_RDONLY },
	{ "map privately", -EINVAL, map_private },
	{ "map beyond the end", -EINVAL, map_beyond },
	{ "map to execute", -EACCES, map_and_execute },
	{ "map the page map to write", -EACCES, map_pages_to_write },
	{ "map the page map privately", -EINVAL, map_pages_privately },
	{ "map the page map beyond its end", -EINVAL, map_pages_beyond },
	{ "map caches privately", -EINVAL, map_caches_privately },
	{ "map part of a cache", -EINVAL, map_bytes_of_caches, SHMZONE_CACHE_BYTES / 2 },
	{ "map caches twice", -EBUSY, map_caches_twice },
	{ "refill without caches", -ENXIO, refill_without_caches },
	{ "free twice", -EINVAL, free_twice },
	{ "free inside an object", -EINVAL, free_inside, 8 },
	{ "a control command to a zone", -ENOTTY, command_of_the_other, 1 },
	{ "a zone command to the device", -ENOTTY, command_of_the_other, 0 },
	{}
};

static int alloc_bytes(struct place *p, int bytes)
{
	__u64 offset;

	return _try_alloc(p->zone, bytes, 1, &offset);
}

static int limit_bytes(struct place *p, int bytes)
{
	return _try_set_limit(p->zone, bytes);
}

static int alloc_below_use(struct place *p, int arg)
{
	__u64 offset;

	if (_try_alloc(p->zone, MIB, 1, &offset) != 1 ||
	    _try_set_limit(p->zone, page_bytes()))
		return WRONG;
	return _try_alloc(p->zone, page_bytes() * 20, 1, &offset);
}

static bool put_parameter(const struct place *p, unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return write(p->parameter, text, strlen(text)) > 0;
}

static int one_zone_more(struct place *p, int arg)
{
	return put_parameter(p, 1) ? create_of_bytes(p, MIB) : WRONG;
}

static int some_bytes_more(struct place *p, int arg)
{
	return put_parameter(p, PLACE_BYTES / 2 + MIB) ? create_of_bytes(p, 2 * MIB) : WRONG;
}

static int a_higher_limit(struct place *p, int arg)
{
	return put_parameter(p, PLACE_BYTES / 2) ? _try_set_limit(p->zone, PLACE_BYTES) :
						   WRONG;
}

static int one_client_more(struct place *p, int arg)
{
	return put_parameter(p, 0) ? _try_map_caches(p->zone, 1) : WRONG;
}

const struct rule limit_rules[] = {
	{ "allocate beyond the limit", -ENOMEM, alloc_bytes, PLACE_BYTES / 2 + 1 },
	{ "allocate beyond the zone", -ENOMEM, alloc_bytes, PLACE_BYTES },
	{ "allocate nothing", -EINVAL, alloc_bytes, 0 },
	{ "allocate with the limit below use", -ENOMEM, alloc_below_use },
	{ "a limit of no whole pages", -EINVAL, limit_bytes, 100000 },
	{ "a limit beyond the zone", -EINVAL, limit_bytes, 2 * PLACE_BYTES },
	{ "a zone beyond the ceiling", -EDQUOT, one_zone_more, 0, "user_zones_max" },
	{ "bytes beyond the ceiling", -EDQUOT, some_bytes_more, 0, "user_bytes_max" },
	{ "a limit beyond the ceiling", -EDQUOT, a_higher_limit, 0, "user_bytes_max" },
	{ "a client beyond the ceiling", -EDQUOT, one_client_more, 0, "user_clients_max" },
	{ "caches beyond the ceiling", -EDQUOT, one_client_more, 0, "user_cache_bytes_max" },
	{}
};
