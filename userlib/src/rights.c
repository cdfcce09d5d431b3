// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What may be done with a zone as a whole: descriptors with fewer rights, the
 * limit, and seals.
 */
#include <unistd.h>

#include "lib.h"

int round_to_pages(uint64_t *bytes)
{
	uint64_t rest = (uint64_t)sysconf(_SC_PAGESIZE) - 1;

	if (*bytes > UINT64_MAX - rest)
		return -EOVERFLOW;
	*bytes = (*bytes + rest) & ~rest;
	return 0;
}

int shmz_reopen(const struct shmz *z, unsigned int flags)
{
	struct shmzone_reopen args = { .size = sizeof(args) };

	if (flags & ~SHMZ_RDONLY)
		return -EOPNOTSUPP;
	if (flags & SHMZ_RDONLY)
		args.flags = SHMZONE_OPEN_RDONLY;
	return lib_ioctl(z->fd, SHMZONE_REOPEN, &args);
}

int shmz_set_limit(struct shmz *z, uint64_t bytes)
{
	struct shmzone_set_limit args = { .size = sizeof(args) };

	if (round_to_pages(&bytes))
		return -EINVAL;
	args.limit_bytes = bytes;
	return lib_ioctl(z->fd, SHMZONE_SET_LIMIT, &args);
}

int shmz_add_seals(struct shmz *z, unsigned int seals)
{
	struct shmzone_add_seals args = {
		.size = sizeof(args),
		.seals = seals,
	};

	return lib_ioctl(z->fd, SHMZONE_ADD_SEALS, &args);
}

int shmz_get_seals(const struct shmz *z)
{
	struct shmzone_get_seals args = { .size = sizeof(args) };
	int ret = lib_ioctl(z->fd, SHMZONE_GET_SEALS, &args);

	return ret ? ret : (int)args.out_seals;
}
