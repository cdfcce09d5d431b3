// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * One process allocates and writes, another one finds, reads and frees.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmzone.h>

int main(void)
{
	struct shmz *z = shmz_create(NULL, 1UL << 30, NULL);
	uint64_t *mail = z ? shmz_zalloc(z, sizeof(*mail)) : NULL;

	if (!mail)
		return perror("shmzone"), 1;
	if (fork() == 0)
		return !(*mail = shmz_offset(z, strcpy(shmz_alloc(z, 32), "Hello!")));
	wait(NULL);
	puts(shmz_pointer(z, *mail));
	shmz_free(z, shmz_pointer(z, *mail));
	shmz_close(z);
}
