// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Where things are: offsets, pointers, and what the handle itself knows.
 */
#include "lib.h"

uint64_t shmz_offset(const struct shmz *z, const void *p)
{
	uint64_t offset = raw_offset(z, p);

	return offset < z->bytes ? offset : 0;
}

void *shmz_pointer(const struct shmz *z, uint64_t offset)
{
	return offset && offset < z->bytes ? z->base + offset : NULL;
}

void *shmz_base(const struct shmz *z)
{
	return z->base;
}

uint64_t shmz_size(const struct shmz *z)
{
	return z->bytes;
}

int shmz_fd(const struct shmz *z)
{
	return z->fd;
}

const volatile uint32_t *shmz_page_map(const struct shmz *z, size_t *pages)
{
	if (pages)
		*pages = z->bytes >> z->page_shift;
	return z->page_map;
}
