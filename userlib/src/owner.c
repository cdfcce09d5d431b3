// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Owned zones: who owns what, and handing it on; and the walk over a zone.
 */
#include "cache.h"

int shmz_client(const struct shmz *z, uint64_t *client)
{
	struct shmzone_cache_client args = { .size = sizeof(args) };
	int ret = client_ioctl(z, SHMZONE_CACHE_CLIENT, &args);

	if (!ret)
		*client = args.out_client;
	return ret;
}

int shmz_client_wait(const struct shmz *z, uint64_t client, uint64_t timeout_ns)
{
	struct shmzone_cache_sync args = {
		.size = sizeof(args),
		.client = client,
		/* To the kernel 0 is for ever; there is no time that is none. */
		.timeout_ns = timeout_ns == SHMZ_FOREVER ? 0 :
			      timeout_ns ? timeout_ns : 1,
	};

	return lib_ioctl(z->fd, SHMZONE_CACHE_SYNC, &args);
}

int shmz_give(struct shmz *z, void *p, uint64_t client)
{
	uint64_t offset = raw_offset(z, p);
	struct shmzone_give args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.client = client,
	};

	return client_ioctl(z, SHMZONE_GIVE, &args);
}

int shmz_offer(struct shmz *z, void *p)
{
	uint64_t offset = raw_offset(z, p);
	struct shmzone_offer args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};

	return client_ioctl(z, SHMZONE_OFFER, &args);
}

int shmz_take(struct shmz *z, void *p, uint64_t client)
{
	uint64_t offset = raw_offset(z, p);
	struct shmzone_take args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.client = client,
	};

	return client_ioctl(z, SHMZONE_TAKE, &args);
}

int shmz_link(struct shmz *z, void *p, void *parent)
{
	uint64_t offset = raw_offset(z, p);
	struct shmzone_link args = {
		.size = sizeof(args),
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.parent = parent ? raw_offset(z, parent) : 0,
	};

	return client_ioctl(z, SHMZONE_LINK, &args);
}

int shmz_walk(const struct shmz *z, uint64_t *cursor, struct shmzone_object *objects,
	      size_t object_size, unsigned int count)
{
	struct shmzone_walk args = {
		.size = sizeof(args),
		.objects = (uintptr_t)objects,
		.count = count < SHMZONE_WALK_MAX ? count : SHMZONE_WALK_MAX,
		.object_size = object_size,
		.cursor = *cursor,
	};
	int ret = lib_ioctl(z->fd, SHMZONE_WALK, &args);

	if (ret)
		return ret;
	*cursor = args.out_cursor;
	return args.out_count;
}
