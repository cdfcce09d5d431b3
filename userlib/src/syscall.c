// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The only calls of ioctl(2), with the library's error convention.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib.h"

int lib_ioctl(int fd, unsigned long cmd, void *arg)
{
	int saved = errno;
	int ret = ioctl(fd, cmd, arg);

	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

int lib_control(unsigned long cmd, void *arg)
{
	int saved = errno;
	int fd = open("/dev/shmzone", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0) {
		ret = -errno;
	} else {
		ret = lib_ioctl(fd, cmd, arg);
		close(fd);
	}
	errno = saved;
	return ret;
}
