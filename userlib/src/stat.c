// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Figures of zones and of the kernel module.
 *
 * The structures are the caller's and as long as it says; the library passes
 * them on and so never writes beyond what the caller was compiled with.
 */
#include "lib.h"

int shmz_stat(const struct shmz *z, struct shmzone_stat *st)
{
	return lib_ioctl(z->fd, SHMZONE_STAT, st);
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
