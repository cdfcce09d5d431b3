// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of zone descriptors that are about the zone as a whole and what
 * may be done with it: REOPEN, SET_LIMIT.
 */
#include <linux/mm.h>

#include "ioctl.h"
#include "shmzone.h"

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
