// SPDX-License-Identifier: GPL-2.0
/*
 * The table of commands and their dispatch.
 *
 * Everything that is the same for all commands is done here, once: which
 * descriptor takes which command, the size rules of extensible structures,
 * the copy from user memory, unknown flags, the right to write, and the counting
 * of refused calls. The commands get a kernel copy that is zero wherever the user
 * gave nothing. What was copied last is what counts: a structure of another size
 * than this kernel's is read a second time, and nothing of the first is believed.
 */
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "core/core_env.h"
#include "ioctl.h"
#include "shmzone.h"

/*
 * The kernel's copy of a command's structure, on the stack. Of it the command's
 * own bytes are written as a whole by run(), and only those are read.
 */
union ucmd_buffer {
	struct shmzone_info info;
	struct shmzone_create create;
	struct shmzone_open open;
	struct shmzone_unlink unlink;
	struct shmzone_list list;
	struct shmzone_permit permit;
	struct shmzone_alloc alloc;
	struct shmzone_free free;
	struct shmzone_query query;
	struct shmzone_stat stat;
	struct shmzone_class_stat class_stat;
	struct shmzone_check check;
	struct shmzone_root_get root_get;
	struct shmzone_root_set root_set;
	struct shmzone_root_list root_list;
	struct shmzone_reopen reopen;
	struct shmzone_set_limit set_limit;
	struct shmzone_add_seals add_seals;
	struct shmzone_get_seals get_seals;
	struct shmzone_cache_refill cache_refill;
	struct shmzone_cache_drain cache_drain;
	struct shmzone_cache_reclaim cache_reclaim;
	struct shmzone_cache_client cache_client;
	struct shmzone_cache_sync cache_sync;
	struct shmzone_give give;
	struct shmzone_offer offer;
	struct shmzone_take take;
	struct shmzone_walk walk;
	struct shmzone_link link;
};

/* What every structure begins with. */
struct ucmd_header {
	u32 size;
	u32 flags;
};

/**
 * struct ioctl_op - one command
 * @execute: carries it out
 * @cmd: the ioctl number
 * @size: bytes of the structure
 * @min_size: bytes of its first version
 * @flags: flags it knows
 * @where: descriptors that take it
 */
struct ioctl_op {
	long (*execute)(struct ucmd *ucmd);
	unsigned int cmd;
	u32 size;
	u32 min_size;
	u32 flags;
	u32 where;
};

#define ON_CONTROL	BIT(0)
#define ON_ZONE		BIT(1)
#define ON_WRITABLE	BIT(2)	/* a zone descriptor that is open for writing */

/*
 * @_last is the last field of the structure's first version. The literal sizes
 * are the ABI: a structure with a hole or a changed field does not build.
 */
#define IOCTL_OP(_name, _NAME, _last, _flags, _where)                        \
	[SHMZONE_CMD_##_NAME] = {                                            \
		.execute = _name##_ioctl,                                    \
		.cmd = SHMZONE_##_NAME,                                      \
		.size = sizeof(struct shmzone_##_name) +                     \
			BUILD_BUG_ON_ZERO(                                   \
				offsetofend(struct shmzone_##_name, _last) != \
				SHMZONE_##_NAME##_SIZE_VER0) +               \
			BUILD_BUG_ON_ZERO(sizeof(struct shmzone_##_name) % 8), \
		.min_size = SHMZONE_##_NAME##_SIZE_VER0,                     \
		.flags = _flags,                                             \
		.where = _where,                                             \
	}

static const struct ioctl_op ioctl_ops[] = {
	IOCTL_OP(info, INFO, out_refused_calls, 0, ON_CONTROL | ON_ZONE),
	IOCTL_OP(create, CREATE, mode,
		 SHMZONE_CREATE_EXCL | SHMZONE_CREATE_PERSIST | ZONE_KINDS,
		 ON_CONTROL),
	IOCTL_OP(open, OPEN, __reserved, SHMZONE_OPEN_RDONLY, ON_CONTROL),
	IOCTL_OP(unlink, UNLINK, __reserved, 0, ON_CONTROL),
	IOCTL_OP(list, LIST, __out_reserved, 0, ON_CONTROL),
	IOCTL_OP(permit, PERMIT, gid,
		 SHMZONE_PERMIT_MODE | SHMZONE_PERMIT_UID | SHMZONE_PERMIT_GID,
		 ON_CONTROL),
	IOCTL_OP(alloc, ALLOC, __out_reserved, SHMZONE_ALLOC_WAIT, ON_WRITABLE),
	IOCTL_OP(free, FREE, __out_reserved, 0, ON_WRITABLE),
	IOCTL_OP(query, QUERY, out_group, 0, ON_ZONE),
	IOCTL_OP(reopen, REOPEN, __reserved, SHMZONE_OPEN_RDONLY, ON_ZONE),
	IOCTL_OP(set_limit, SET_LIMIT, limit_bytes, 0, ON_WRITABLE),
	IOCTL_OP(add_seals, ADD_SEALS, __reserved, 0, ON_WRITABLE),
	IOCTL_OP(get_seals, GET_SEALS, __out_reserved, 0, ON_ZONE),
	IOCTL_OP(stat, STAT, out_refused_calls, 0, ON_ZONE),
	IOCTL_OP(class_stat, CLASS_STAT, __out_reserved, 0, ON_ZONE),
	IOCTL_OP(root_get, ROOT_GET, out_offset, 0, ON_ZONE),
	IOCTL_OP(root_set, ROOT_SET, out_old, SHMZONE_ROOT_SET_CAS, ON_WRITABLE),
	IOCTL_OP(root_list, ROOT_LIST, out_count, 0, ON_ZONE),
	IOCTL_OP(cache_refill, CACHE_REFILL, out_count, 0, ON_WRITABLE),
	IOCTL_OP(cache_drain, CACHE_DRAIN, out_count,
		 SHMZONE_CACHE_DRAIN_ALL | SHMZONE_CACHE_DRAIN_SHARED,
		 ON_WRITABLE),
	IOCTL_OP(cache_reclaim, CACHE_RECLAIM, out_count, 0, ON_WRITABLE),
	IOCTL_OP(cache_client, CACHE_CLIENT, out_client, 0, ON_ZONE),
	IOCTL_OP(cache_sync, CACHE_SYNC, timeout_ns, 0, ON_ZONE),
	IOCTL_OP(give, GIVE, out_error, 0, ON_WRITABLE),
	IOCTL_OP(offer, OFFER, out_error, 0, ON_WRITABLE),
	IOCTL_OP(take, TAKE, out_error, 0, ON_WRITABLE),
	IOCTL_OP(walk, WALK, __out_reserved, 0, ON_ZONE),
	IOCTL_OP(link, LINK, out_error, 0, ON_WRITABLE),
#ifdef SHMZONE_DEBUG
	IOCTL_OP(check, CHECK, out_text, 0, ON_WRITABLE),
#endif
};

static atomic64_t control_refused;

u64 control_refused_calls(void)
{
	return atomic64_read(&control_refused);
}

/**
 * ucmd_respond() - write the structure back, as far as the user knows it
 * @ucmd: the command
 *
 * Word by word, where it is made of whole ones: see copy_in_words().
 *
 * Return: 0 or -EFAULT.
 */
int ucmd_respond(const struct ucmd *ucmd)
{
	u32 size = min(ucmd->user_size, ucmd->kernel_size);

	if (!IS_ALIGNED((unsigned long)ucmd->ubuf | size, sizeof(u64)))
		return copy_to_user(ucmd->ubuf, ucmd->cmd, size) ? -EFAULT : 0;
	return words_to_user(ucmd->ubuf, ucmd->cmd, size / sizeof(u64));
}

static const struct ioctl_op *find_op(unsigned int cmd, u32 where)
{
	unsigned int nr = _IOC_NR(cmd);
	const struct ioctl_op *op;

	if (nr >= ARRAY_SIZE(ioctl_ops))
		return NULL;
	op = &ioctl_ops[array_index_nospec(nr, ARRAY_SIZE(ioctl_ops))];
	if (!op->execute || op->cmd != cmd)
		return NULL;
	/* A command that needs the right to write exists on any zone. */
	if (!(op->where & where) && !(where & ON_ZONE && op->where & ON_WRITABLE))
		return NULL;
	return op;
}

/* The loop below is none for them. */
static_assert(sizeof(struct shmzone_alloc) <= 8 * sizeof(u64) &&
	      sizeof(struct shmzone_free) <= 8 * sizeof(u64));

/*
 * Get a structure that is as long as this kernel knows it, word by word: for so
 * few words, what copy_from_user() does beside copying takes longer than that.
 * Where this returns false, nothing is said of why.
 */
static __always_inline bool copy_in_words(struct ucmd *ucmd, const struct ioctl_op *op)
{
	const struct ucmd_header *header = ucmd->cmd;
	const u64 __user *from = ucmd->ubuf;
	u64 *to = ucmd->cmd;
	u32 i;

	if (!IS_ALIGNED((unsigned long)from, sizeof(*from)) ||
	    should_fail_usercopy() || !user_read_access_begin(from, op->size))
		return false;
#pragma GCC unroll 8
	for (i = 0; i < op->size / sizeof(*to); i++)
		unsafe_get_user(to[i], &from[i], fault);
	user_read_access_end();
	ucmd->user_size = op->size;
	return header->size == op->size;
fault:
	user_read_access_end();
	return false;
}

/* Get any structure into the kernel, with all rules for its size. */
static noinline int copy_in(struct ucmd *ucmd, const struct ioctl_op *op)
{
	u32 size;

	if (get_user(size, (u32 __user *)ucmd->ubuf))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ucmd->user_size = size;
	return copy_struct_from_user(ucmd->cmd, op->size, ucmd->ubuf, size);
}

/* Carry out a command that this kind of descriptor takes. */
static __always_inline long run(struct ucmd *ucmd, const struct ioctl_op *op, u32 where)
{
	const struct ucmd_header *header = ucmd->cmd;
	int ret;

	ucmd->kernel_size = op->size;
	if (!copy_in_words(ucmd, op)) {
		ret = copy_in(ucmd, op);
		if (ret)
			return ret;
	}
	if (header->flags & ~op->flags)
		return -EOPNOTSUPP;
	if (!(op->where & where))
		return -EACCES;
	return op->execute(ucmd);
}

static long dispatch(struct ucmd *ucmd, unsigned int cmd, u32 where)
{
	const struct ioctl_op *op = find_op(cmd, where);

	return op ? run(ucmd, op, where) : -ENOIOCTLCMD;
}

/*
 * The commands that programs spend their time with are known to the compiler, which
 * needs no table for them, nor calls through pointers, and no loop to copy.
 */
static long dispatch_zone(struct ucmd *ucmd, unsigned int cmd, u32 where)
{
	switch (cmd) {
	case SHMZONE_ALLOC:
		return run(ucmd, &ioctl_ops[SHMZONE_CMD_ALLOC], where);
	case SHMZONE_FREE:
		return run(ucmd, &ioctl_ops[SHMZONE_CMD_FREE], where);
	case SHMZONE_CACHE_REFILL:
		return run(ucmd, &ioctl_ops[SHMZONE_CMD_CACHE_REFILL], where);
	case SHMZONE_CACHE_DRAIN:
		return run(ucmd, &ioctl_ops[SHMZONE_CMD_CACHE_DRAIN], where);
	default:
		return dispatch(ucmd, cmd, where);
	}
}

static bool is_refusal(const struct ucmd *ucmd, long ret)
{
	if (ret >= 0 || ucmd->judged)
		return false;
	return !ucmd->examined || ret == -EACCES || ret == -EPERM;
}

long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	union ucmd_buffer buffer core_uncleared;
	struct ucmd ucmd = { .ubuf = (void __user *)arg, .cmd = &buffer };
	long ret = dispatch(&ucmd, cmd, ON_CONTROL);

	if (is_refusal(&ucmd, ret))
		atomic64_inc(&control_refused);
	return ret;
}

long zone_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct zone_file *zf = file->private_data;
	union ucmd_buffer buffer core_uncleared;
	struct ucmd ucmd = {
		.ubuf = (void __user *)arg,
		.cmd = &buffer,
		.zone = zf->zone,
		.writable = file->f_mode & FMODE_WRITE,
	};
	u32 where = ON_ZONE | (ucmd.writable ? ON_WRITABLE : 0);
	long ret = dispatch_zone(&ucmd, cmd, where);

	if (is_refusal(&ucmd, ret))
		atomic64_inc(&zf->zone->refused_calls);
	return ret;
}
