// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of control descriptors: INFO, CREATE, OPEN, UNLINK, LIST,
 * PERMIT.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "core/class.h"
#include "ioctl.h"
#include "shmzone.h"

#define FEATURES                                                               \
	(SHMZONE_FEATURE_COMMITTED | SHMZONE_FEATURE_STRICT |                  \
	 SHMZONE_FEATURE_WAIT | SHMZONE_FEATURE_ROOTS |                        \
	 SHMZONE_FEATURE_SEALS | SHMZONE_FEATURE_CACHES |                      \
	 SHMZONE_FEATURE_OWNED | SHMZONE_FEATURE_CHECKED)

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
	info->out_features = FEATURES;
	info->out_zone_bytes_max = ZONE_BYTES_MAX;
	info->out_class_count = CLASS_COUNT;
	info->out_group_count = SHMZONE_GROUPS;
	info->out_batch_max = SHMZONE_BATCH_MAX;
	info->out_name_max = SHMZONE_NAME_MAX;
	info->out_zones = zone_count();
	info->out_refused_calls = control_refused_calls();
	return ucmd_respond(ucmd);
}

/**
 * zone_install() - give the caller a descriptor of a zone
 * @zone: the zone; the caller's reference stays the caller's
 * @write: whether for writing too
 * @new: the zone is new: enter it under its name on the way, if it has one. It
 *       is complete then.
 *
 * Return: the descriptor or a negative errno.
 */
long zone_install(struct shmzone *zone, bool write, bool new)
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
	if (new && zone->name.key.len)
		ret = name_add(zone);
	if (ret) {
		fput(file);
		put_unused_fd(fd);
		return ret;
	}
	fd_install(fd, file);
	return fd;
}

static long open_by_name(const struct name_key *key, bool write)
{
	struct shmzone *zone = name_open(key, write);
	long fd;

	if (IS_ERR(zone))
		return PTR_ERR(zone);
	fd = zone_install(zone, write, false);
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
			      create->flags & ~ZONE_KINDS))
		return -EINVAL;
	if (create->flags & SHMZONE_CREATE_CHECKED &&
	    !(create->flags & SHMZONE_CREATE_OWNED))
		return -EINVAL;
	return 0;
}

/* A new zone under the name @key, or without one. */
static long create_new(const struct shmzone_create *create,
		       const struct name_key *key)
{
	struct shmzone *zone;
	long fd;

	zone = zone_create(create->zone_bytes,
			   create->limit_bytes ?: create->zone_bytes,
			   create->flags & ZONE_KINDS);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	if (key)
		name_own(zone, key, create->mode,
			 create->flags & SHMZONE_CREATE_PERSIST);
	fd = zone_install(zone, true, true);
	zone_put(zone);
	return fd;
}

long create_ioctl(struct ucmd *ucmd)
{
	struct shmzone_create *create = ucmd->cmd;
	struct name_key key;
	long ret;

	ret = check_create(create);
	if (ret)
		return ret;
	if (!create->name) {
		ucmd->examined = true;
		return create_new(create, NULL);
	}
	ret = name_key_init(&key, u64_to_user_ptr(create->name),
			    create->name_len);
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
	struct name_key key;
	int ret;

	if (open->__reserved)
		return -EOPNOTSUPP;
	ret = name_key_init(&key, u64_to_user_ptr(open->name), open->name_len);
	if (ret)
		return ret;
	ucmd->examined = true;
	return open_by_name(&key, !(open->flags & SHMZONE_OPEN_RDONLY));
}

long unlink_ioctl(struct ucmd *ucmd)
{
	struct shmzone_unlink *unlink = ucmd->cmd;
	struct name_key key;
	int ret;

	if (unlink->__reserved)
		return -EOPNOTSUPP;
	ret = name_key_init(&key, u64_to_user_ptr(unlink->name),
			    unlink->name_len);
	if (ret)
		return ret;
	ucmd->examined = true;
	return name_unlink(&key);
}

/* Entries that are told under one hold of the lock. */
#define LIST_PIECE	8

static int check_list(const struct shmzone_list *list)
{
	if (!list->count || list->count > SHMZONE_LIST_MAX)
		return -EINVAL;
	if (list->entry_size < offsetofend(struct shmzone_entry, name))
		return -EINVAL;
	if (list->entry_size > PAGE_SIZE)
		return -E2BIG;
	return 0;
}

static int put_entries(void __user *to, u32 entry_size,
		       const struct shmzone_entry *entries, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++, to += entry_size) {
		if (copy_struct_to_user(to, entry_size, &entries[i],
					sizeof(entries[i]), NULL))
			return -EFAULT;
	}
	return 0;
}

/* @entries has room for LIST_PIECE. */
static int list_names(struct shmzone_list *list, struct shmzone_entry *entries)
{
	void __user *to = u64_to_user_ptr(list->entries);
	u64 cursor = list->cursor;
	u32 done = 0, n;

	do {
		n = name_list(&cursor, entries,
			      min_t(u32, list->count - done, LIST_PIECE));
		if (put_entries(to, list->entry_size, entries, n))
			return -EFAULT;
		to += n * list->entry_size;
		done += n;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (cursor && done < list->count);
	list->out_count = done;
	list->out_cursor = cursor;
	list->__out_reserved = 0;
	return 0;
}

long list_ioctl(struct ucmd *ucmd)
{
	struct shmzone_list *list = ucmd->cmd;
	struct shmzone_entry *entries;
	int ret;

	ret = check_list(list);
	if (ret)
		return ret;
	entries = kmalloc_array(LIST_PIECE, sizeof(*entries), ZONE_GFP);
	if (!entries) {
		ucmd->examined = true;
		return -ENOMEM;
	}
	ret = list_names(list, entries);
	kfree(entries);
	return ret ?: ucmd_respond(ucmd);
}

/* From the numbers of the caller's user namespace. */
static int change_init(struct name_change *change,
		       const struct shmzone_permit *permit)
{
	u32 which = permit->flags;

	if (!which || permit->mode & ~0666U)
		return -EINVAL;
	if ((permit->mode && !(which & SHMZONE_PERMIT_MODE)) ||
	    (permit->uid && !(which & SHMZONE_PERMIT_UID)) ||
	    (permit->gid && !(which & SHMZONE_PERMIT_GID)))
		return -EINVAL;
	*change = (struct name_change) {
		.which = which,
		.uid = make_kuid(current_user_ns(), permit->uid),
		.gid = make_kgid(current_user_ns(), permit->gid),
		.mode = permit->mode,
	};
	if (which & SHMZONE_PERMIT_UID && !uid_valid(change->uid))
		return -EINVAL;
	if (which & SHMZONE_PERMIT_GID && !gid_valid(change->gid))
		return -EINVAL;
	return 0;
}

long permit_ioctl(struct ucmd *ucmd)
{
	struct shmzone_permit *permit = ucmd->cmd;
	struct name_change change;
	struct name_key key;
	int ret;

	ret = change_init(&change, permit);
	if (ret)
		return ret;
	ret = name_key_init(&key, u64_to_user_ptr(permit->name),
			    permit->name_len);
	if (ret)
		return ret;
	ucmd->examined = true;
	return name_permit(&key, &change);
}
