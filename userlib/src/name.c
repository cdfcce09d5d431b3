// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Names, without the zones behind them: what is asked of /dev/shmzone.
 */
#include <string.h>

#include "lib.h"

int shmz_unlink(const char *name)
{
	struct shmzone_unlink args = { .size = sizeof(args) };

	if (!name)
		return -EINVAL;
	args.name = (uintptr_t)name;
	args.name_len = strlen(name);
	return lib_control(SHMZONE_UNLINK, &args);
}

static int permit(struct shmzone_permit *args, const char *name)
{
	if (!name)
		return -EINVAL;
	args->size = sizeof(*args);
	args->name = (uintptr_t)name;
	args->name_len = strlen(name);
	return lib_control(SHMZONE_PERMIT, args);
}

int shmz_chmod(const char *name, unsigned int mode)
{
	struct shmzone_permit args = {
		.flags = SHMZONE_PERMIT_MODE,
		.mode = mode,
	};

	return permit(&args, name);
}

int shmz_chown(const char *name, uid_t uid, gid_t gid)
{
	struct shmzone_permit args = { 0 };

	if (uid != (uid_t)-1) {
		args.flags |= SHMZONE_PERMIT_UID;
		args.uid = uid;
	}
	if (gid != (gid_t)-1) {
		args.flags |= SHMZONE_PERMIT_GID;
		args.gid = gid;
	}
	return permit(&args, name);
}

int shmz_list(struct shmzone_entry *entries, size_t entry_size,
	      unsigned int count, uint64_t *cursor)
{
	struct shmzone_list args = {
		.size = sizeof(args),
		.entries = (uintptr_t)entries,
		.count = count < SHMZONE_LIST_MAX ? count : SHMZONE_LIST_MAX,
		.entry_size = entry_size,
		.cursor = *cursor,
	};
	int ret;

	if (entry_size > UINT32_MAX)
		return -E2BIG;
	ret = lib_control(SHMZONE_LIST, &args);
	if (ret)
		return ret;
	*cursor = args.out_cursor;
	return (int)args.out_count;
}
