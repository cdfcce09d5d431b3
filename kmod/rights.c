// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of zone descriptors that are about the zone as a whole and what
 * may be done with it: REOPEN, SET_LIMIT, ADD_SEALS, GET_SEALS.
 */
#include <linux/mm.h>

#include "ioctl.h"
#include "shmzone.h"

#define ALL_SEALS (SHMZONE_SEAL_SEAL | SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT | \
		   SHMZONE_SEAL_WRITE)

long reopen_ioctl(struct ucmd *ucmd)
{
	const struct shmzone_reopen *reopen = ucmd->cmd;
	bool write = !(reopen->flags & SHMZONE_OPEN_RDONLY);

	if (reopen->__reserved[0] || reopen->__reserved[1])
		return -EOPNOTSUPP;
	if (write && !ucmd->writable)
		return -EACCES;
	ucmd->examined = true;
	return zone_install(ucmd->zone, write, false);
}

long set_limit_ioctl(struct ucmd *ucmd)
{
	const struct shmzone_set_limit *set = ucmd->cmd;
	u64 bytes = set->limit_bytes ?: ucmd->zone->bytes;

	if (bytes > ucmd->zone->bytes || !PAGE_ALIGNED(bytes))
		return -EINVAL;
	ucmd->examined = true;
	return zone_set_limit(ucmd->zone, bytes);
}

long add_seals_ioctl(struct ucmd *ucmd)
{
	const struct shmzone_add_seals *add = ucmd->cmd;

	if (add->__reserved || add->seals & ~ALL_SEALS)
		return -EOPNOTSUPP;
	ucmd->examined = true;
	return zone_add_seals(ucmd->zone, add->seals);
}

long get_seals_ioctl(struct ucmd *ucmd)
{
	struct shmzone_get_seals *get = ucmd->cmd;

	get->out_seals = READ_ONCE(ucmd->zone->seals);
	get->__out_reserved = 0;
	return ucmd_respond(ucmd);
}
