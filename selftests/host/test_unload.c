// SPDX-License-Identifier: GPL-2.0
/*
 * The library as a part of something that is loaded and unloaded while there
 * are threads that have used it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS	8
#define ROUNDS	20

/* What may remain of each time that it was loaded, in bytes of addresses. */
#define REMAINS	(1 << 20)

struct shmz;

static struct library {
	void *object;
	struct shmz *(*create)(const char *name, uint64_t bytes, const void *options);
	void *(*alloc)(struct shmz *z, size_t bytes);
	int (*free)(struct shmz *z, void *p);
	void (*close)(struct shmz *z);
} lib;

static struct shmz *zone;
static pthread_barrier_t turn;
static _Atomic unsigned int troubles;

static void *use(void *arg)
{
	static const size_t sizes[] = { 100, 1 << 16 };
	unsigned int i;
	void *p;

	(void)arg;
	/* From the thread's cache, and by calls. */
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		p = lib.alloc(zone, sizes[i]);
		troubles += !p || lib.free(zone, p);
	}
	pthread_barrier_wait(&turn);
	/* Meanwhile the library goes. */
	pthread_barrier_wait(&turn);
	return NULL;
}

static int load(const char *path)
{
	lib.object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib.object) {
		printf("# %s\n", dlerror());
		return -1;
	}
	*(void **)&lib.create = dlsym(lib.object, "shmz_create");
	*(void **)&lib.alloc = dlsym(lib.object, "shmz_alloc");
	*(void **)&lib.free = dlsym(lib.object, "shmz_free");
	*(void **)&lib.close = dlsym(lib.object, "shmz_close");
	return 0;
}

static int play(const char *path)
{
	pthread_t thread[THREADS];
	int i;

	if (load(path))
		return -1;
	zone = lib.create(NULL, 1 << 24, NULL);
	if (!zone)
		return -1;
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, use, NULL);
	pthread_barrier_wait(&turn);
	lib.close(zone);
	dlclose(lib.object);
	pthread_barrier_wait(&turn);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

/* Bytes of addresses that the process has. */
static unsigned long mapped(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu", &pages) != 1)
		return 0;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static int report(int number, int right, const char *what)
{
	printf("%sok %d - %s\n", right ? "" : "not ", number, what);
	return !right;
}

int main(int argc, char **argv)
{
	unsigned long before = 0, after;
	char path[4096];
	int i, ret = 0;

	(void)argc;
	printf("TAP version 13\n1..2\n");
	snprintf(path, sizeof(path), "%s/unloadable.so", dirname(strdup(argv[0])));
	pthread_barrier_init(&turn, NULL, THREADS + 1);
	for (i = 0; i < ROUNDS && !ret; i++) {
		ret = play(path);
		/* The C library keeps some of the first threads' memory. */
		if (!i)
			before = mapped();
	}
	after = mapped();
	printf("# %ld bytes of addresses more after %d rounds\n", (long)(after - before), i);
	ret = report(1, !ret && !troubles, "unloaded with threads that have used it");
	return ret | report(2, after < before + ROUNDS * REMAINS, "and nothing much stays");
}
