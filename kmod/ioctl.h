/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the dispatcher (ioctl.c) and the commands (control.c, objects.c,
 * rights.c, roots.c, cachecmd.c, ownercmd.c).
 */
#ifndef SHMZONE_IOCTL_H
#define SHMZONE_IOCTL_H

#include <linux/fault-inject-usercopy.h>
#include <linux/types.h>
#include <linux/uaccess.h>

struct shmzone;

/**
 * struct ucmd - one command on its way
 * @ubuf: where the user's structure is
 * @user_size: bytes of it that the user knows
 * @kernel_size: bytes of it that the kernel knows
 * @cmd: the kernel's copy of it, zero beyond what the user gave
 * @zone: the zone of the descriptor, or NULL on a control descriptor
 * @writable: the descriptor is of a zone and open for writing
 * @examined: set by a command that has found its arguments well-formed and
 *            goes on to look at objects or names. An error after that is an
 *            answer; one before is a refusal, and is counted as one. So are
 *            EACCES and EPERM, whenever they come.
 * @judged: set by a command whose errors from then on are about objects alone:
 *          EPERM is an answer too
 */
struct ucmd {
	void __user *ubuf;
	u32 user_size;
	u32 kernel_size;
	void *cmd;
	struct shmzone *zone;
	bool writable;
	bool examined;
	bool judged;
};

/*
 * Writes a few aligned words to user memory, for which copy_to_user() takes longer to
 * begin than to copy. Faults are injected as into that.
 */
static __always_inline int words_to_user(u64 __user *to, const u64 *from, u32 count)
{
	u32 i;

	if (should_fail_usercopy() || !user_write_access_begin(to, count * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < count; i++)
		unsafe_put_user(from[i], &to[i], fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

int ucmd_respond(const struct ucmd *ucmd);
u64 control_refused_calls(void);

/* control.c */
long info_ioctl(struct ucmd *ucmd);
long create_ioctl(struct ucmd *ucmd);
long open_ioctl(struct ucmd *ucmd);
long unlink_ioctl(struct ucmd *ucmd);
long list_ioctl(struct ucmd *ucmd);
long permit_ioctl(struct ucmd *ucmd);
long zone_install(struct shmzone *zone, bool write, bool new);

/* objects.c */
long alloc_ioctl(struct ucmd *ucmd);
long free_ioctl(struct ucmd *ucmd);
long query_ioctl(struct ucmd *ucmd);
long stat_ioctl(struct ucmd *ucmd);
long class_stat_ioctl(struct ucmd *ucmd);
long check_ioctl(struct ucmd *ucmd);

/* roots.c */
long root_get_ioctl(struct ucmd *ucmd);
long root_set_ioctl(struct ucmd *ucmd);
long root_list_ioctl(struct ucmd *ucmd);

/* cachecmd.c */
long cache_refill_ioctl(struct ucmd *ucmd);
long cache_drain_ioctl(struct ucmd *ucmd);
long cache_reclaim_ioctl(struct ucmd *ucmd);
long cache_client_ioctl(struct ucmd *ucmd);
long cache_sync_ioctl(struct ucmd *ucmd);

/* ownercmd.c */
long give_ioctl(struct ucmd *ucmd);
long offer_ioctl(struct ucmd *ucmd);
long take_ioctl(struct ucmd *ucmd);
long walk_ioctl(struct ucmd *ucmd);
long link_ioctl(struct ucmd *ucmd);

/* rights.c */
long reopen_ioctl(struct ucmd *ucmd);
long set_limit_ioctl(struct ucmd *ucmd);
long add_seals_ioctl(struct ucmd *ucmd);
long get_seals_ioctl(struct ucmd *ucmd);

#endif /* SHMZONE_IOCTL_H */
