// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Figures of zones and of the kernel module.
 *
 * The structures are the caller's and as long as it says; the library passes
 * them on and so never writes beyond what the caller was compiled with. It
 * changes but one thing: what lies in caches is not live.
 */
#include "lib.h"

/*
 * To the kernel what is in a cache is live; to a program it is not. The figures
 * are of different moments, so there may seem to be more in caches than is live.
 */
static void leave_out_cached(struct shmzone_stat *st)
{
	uint64_t bytes = st->out_cached_bytes;
	uint64_t objects = st->out_cached_objects;

	st->out_live_bytes -= bytes < st->out_live_bytes ?
			      bytes : st->out_live_bytes;
	st->out_live_objects -= objects < st->out_live_objects ?
				objects : st->out_live_objects;
}

/* The caller may know less of the structure than is asked for here. */
int shmz_stat(const struct shmz *z, struct shmzone_stat *st)
{
	struct shmzone_stat own = { .size = sizeof(own) };
	int ret = lib_ioctl(z->fd, SHMZONE_STAT, st);

	if (ret)
		return ret;
	if (st->size >= sizeof(own)) {
		leave_out_cached(st);
		return 0;
	}
	ret = lib_ioctl(z->fd, SHMZONE_STAT, &own);
	if (ret)
		return ret == -E2BIG ? 0 : ret;
	leave_out_cached(&own);
	st->out_live_bytes = own.out_live_bytes;
	st->out_live_objects = own.out_live_objects;
	return 0;
}

int shmz_class_stat(const struct shmz *z, unsigned int group,
		    struct shmzone_class_figures *figures, size_t figures_size,
		    unsigned int count)
{
	struct shmzone_class_stat args = {
		.size = sizeof(args),
		.figures = (uintptr_t)figures,
		.count = count,
		.group = group,
		.figures_size = figures_size,
	};
	int ret = lib_ioctl(z->fd, SHMZONE_CLASS_STAT, &args);

	return ret ? ret : (int)args.out_count;
}

int shmz_class_table(const struct shmz *z, struct shmzone_class *classes,
		     size_t class_size, unsigned int count)
{
	struct shmzone_info info = {
		.size = sizeof(info),
		.classes = (uintptr_t)classes,
		.class_count = count,
		.class_size = class_size,
	};
	int ret = lib_ioctl(z->fd, SHMZONE_INFO, &info);

	if (ret)
		return ret;
	return count < info.out_class_count ? count : info.out_class_count;
}

int shmz_info(const struct shmz *z, struct shmzone_info *info)
{
	return z ? lib_ioctl(z->fd, SHMZONE_INFO, info) :
		   lib_control(SHMZONE_INFO, info);
}

const char *shmz_strversion(void)
{
	return SHMZ_VERSION;
}
