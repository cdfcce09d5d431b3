// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of control descriptors: INFO, CREATE, OPEN, UNLINK.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "core/class.h"
#include "ioctl.h"
#include "shmzone.h"

static int put_classes(const struct shmzone_info *info)
{
	void __user *to = u64_to_user_ptr(info->classes);
	u32 i;

	if (info->class_size < offsetofend(struct shmzone_class, __reserved))
		return -EINVAL;
	if (info->class_size > PAGE_SIZE)
		return -E2BIG;
	for (i = 0; i < min_t(u32, info->class_count, CLASS_COUNT); i++) {
		const struct class_info *class = &class_table[i];
		struct shmzone_class row = {
			.slot_bytes = class->slot_bytes,
			.slab_pages = class->slab_pages,
			.slab_slots = class->slots,
		};

		if (copy_struct_to_user(to, info->class_size, &row, sizeof(row),
					NULL))
			return -EFAULT;
		to += info->class_size;
	}
	return 0;
}

long info_ioctl(struct ucmd *ucmd)
{
	struct shmzone_info *info = ucmd->cmd;
	int ret;

	if (info->classes) {
		ret = put_classes(info);
		if (ret)
			return ret;
	}
	info->out_abi_version = SHMZONE_ABI_VERSION;
	info->out_page_bytes = PAGE_SIZE;
	info->out_features = 0;
	info->out_zone_bytes_max = ZONE_BYTES_MAX;
	info->out_class_count = CLASS_COUNT;
	info->out_group_count = SHMZONE_GROUPS;
	info->out_batch_max = SHMZONE_BATCH_MAX;
	info->out_name_max = SHMZONE_NAME_MAX;
	info->out_zones = zone_count();
	info->out_refused_calls = control_refused_calls();
	return ucmd_respond(ucmd);
}

/*
 * A descriptor for the zone, which is entered under its name on the way if it
 * is @new and has one: it is complete then. The caller's reference to the zone
 * stays the caller's.
 */
static long install(struct shmzone *zone, bool write, bool new)
{
	struct file *file;
	int fd, ret = 0;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = zone_file_open(zone, write);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	if (new && zone->name.len)
		ret = name_add(zone);
	if (ret) {
		fput(file);
		put_unused_fd(fd);
		return ret;
	}
	fd_install(fd, file);
	return fd;
}

static long open_by_name(const struct zone_name *key, bool write)
{
	struct shmzone *zone = name_open(key, write);
	long fd;

	if (IS_ERR(zone))
		return PTR_ERR(zone);
	fd = install(zone, write, false);
	zone_put(zone);
	return fd;
}

static int check_create(const struct shmzone_create *create)
{
	u64 bytes = create->zone_bytes;
	u64 limit = create->limit_bytes;

	if (bytes > ZONE_BYTES_MAX)
		return -EOVERFLOW;
	if (bytes < 2 * PAGE_SIZE || !PAGE_ALIGNED(bytes))
		return -EINVAL;
	if (limit > bytes || !PAGE_ALIGNED(limit))
		return -EINVAL;
	if (create->mode & ~0666U)
		return -EINVAL;
	if (!create->name && (create->name_len || create->mode ||
			      create->flags & SHMZONE_CREATE_EXCL))
		return -EINVAL;
	return 0;
}

/* A new zone under the name @key, or without one. */
static long create_new(const struct shmzone_create *create,
		       const struct zone_name *key)
{
	struct shmzone *zone;
	long fd;

	zone = zone_create(create->zone_bytes,
			   create->limit_bytes ?: create->zone_bytes);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	if (key) {
		zone->name = *key;
		name_own(&zone->name, create->mode);
	}
	fd = install(zone, true, true);
	zone_put(zone);
	return fd;
}

long create_ioctl(struct ucmd *ucmd)
{
	struct shmzone_create *create = ucmd->cmd;
	struct zone_name key;
	long ret;

	ret = check_create(create);
	if (ret)
		return ret;
	if (!create->name) {
		ucmd->examined = true;
		return create_new(create, NULL);
	}
	ret = name_init(&key, u64_to_user_ptr(create->name), create->name_len);
	if (ret)
		return ret;
	ucmd->examined = true;
	if (create->flags & SHMZONE_CREATE_EXCL)
		return create_new(create, &key);

	/* The name may come and go between the two: then once more. */
	do {
		ret = open_by_name(&key, true);
		if (ret == -ENOENT)
			ret = create_new(create, &key);
	} while (ret == -EEXIST && !fatal_signal_pending(current));
	return ret == -EEXIST ? -EINTR : ret;
}

long open_ioctl(struct ucmd *ucmd)
{
	struct shmzone_open *open = ucmd->cmd;
	struct zone_name key;
	int ret;

	if (open->__reserved)
		return -EOPNOTSUPP;
	ret = name_init(&key, u64_to_user_ptr(open->name), open->name_len);
	if (ret)
		return ret;
	ucmd->examined = true;
	return open_by_name(&key, !(open->flags & SHMZONE_OPEN_RDONLY));
}

long unlink_ioctl(struct ucmd *ucmd)
{
	struct shmzone_unlink *unlink = ucmd->cmd;
	struct zone_name key;
	int ret;

	if (unlink->__reserved)
		return -EOPNOTSUPP;
	ret = name_init(&key, u64_to_user_ptr(unlink->name), unlink->name_len);
	if (ret)
		return ret;
	ucmd->examined = true;
	return name_unlink(&key);
}
