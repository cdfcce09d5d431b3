// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * All that is asked of the device, with the library's error convention. Tests
 * and benchmarks link a stand-in for the device instead of this file.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

int lib_map(int fd, void **area, size_t bytes, int prot, uint64_t at)
{
	int flags = MAP_SHARED | MAP_NORESERVE | (*area ? MAP_FIXED : 0);
	int saved = errno;
	void *p = mmap(*area, bytes, prot, flags, fd, at);
	int ret = 0;

	if (p == MAP_FAILED) {
		ret = -errno;
		errno = saved;
	} else {
		*area = p;
	}
	return ret;
}

void lib_unmap(void *area, size_t bytes)
{
	int saved = errno;

	munmap(area, bytes);
	errno = saved;
}

int lib_cover(void *area, size_t bytes)
{
	int saved = errno;
	int ret = 0;

	if (mmap(area, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

void lib_close(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}
