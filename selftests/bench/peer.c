// SPDX-License-Identifier: GPL-2.0
/*
 * Other allocators, each in a process of its own.
 *
 * The program executes itself with the peer's library preloaded, so malloc()
 * is the peer's from the first call on. That process lives the churn, lets the
 * peer give back what it can in the peer's own way, and prints what it needs:
 * its anonymous memory that no MADV_FREE has disowned, less what it had before.
 *
 * Preloading a library that is missing is a mere warning, so the process makes
 * sure that it has the function that it is going to call.
 */
#include "peer.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

/* Peers give back part of what they could at once, the rest after a while. */
#define PURGES		2
#define PURGE_WAIT_US	200000

const struct peer peers[PEERS] = {
	{ "glibc", NULL },
	{ "jemalloc", "libjemalloc.so.2" },
	{ "tcmalloc", "libtcmalloc.so.4" },
	{ "mimalloc", "libmimalloc.so.2" },
};

/* Giving back. */

static bool purge_glibc(void)
{
	malloc_trim(0);
	return true;
}

/* Of all arenas (MALLCTL_ARENAS_ALL), after the thread's own stock. */
static bool purge_jemalloc(void)
{
	int (*mallctl)(const char *name, void *old, size_t *old_bytes, void *new,
		       size_t new_bytes) = dlsym(RTLD_DEFAULT, "mallctl");

	if (!mallctl)
		return false;
	return !mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) &&
	       !mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
}

static bool purge_tcmalloc(void)
{
	void (*idle)(void);
	void (*release)(void);

	idle = dlsym(RTLD_DEFAULT, "MallocExtension_MarkThreadIdle");
	release = dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory");
	if (!release)
		return false;
	if (idle)
		idle();
	release();
	return true;
}

static bool purge_mimalloc(void)
{
	void (*collect)(bool force) = dlsym(RTLD_DEFAULT, "mi_collect");

	if (!collect)
		return false;
	collect(true);
	return true;
}

static bool (*const purge[PEERS])(void) = {
	purge_glibc, purge_jemalloc, purge_tcmalloc, purge_mimalloc,
};

static bool purge_all(u32 peer)
{
	u32 i;

	for (i = 0; i < PURGES; i++) {
		if (!purge[peer]())
			return false;
		usleep(PURGE_WAIT_US);
	}
	return true;
}

/* The peer's process. */

/* A number of kilobytes in what the kernel says of the process's memory. */
static u64 rollup_bytes(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	if (!line)
		bench_die("/proc/self/smaps_rollup says nothing of %s", key + 1);
	return strtoull(line + strlen(key), NULL, 10) << 10;
}

/* Does not allocate. */
static u64 anonymous_bytes(void)
{
	char text[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[max(n, 0)] = 0;
	return rollup_bytes(text, "\nAnonymous:") - rollup_bytes(text, "\nLazyFree:");
}

static u64 peer_alloc(void *arg, u32 bytes)
{
	void *object = malloc(bytes);

	(void)arg;
	if (!object)
		bench_die("out of memory");
	memset(object, 1, bytes);
	return (uintptr_t)object;
}

static void peer_free(void *arg, u64 object, u32 bytes)
{
	(void)arg;
	(void)bytes;
	free((void *)(uintptr_t)object);
}

static const struct churn_ops peer_ops = { .alloc = peer_alloc, .free = peer_free };

/* A line for each moment: bytes live, bytes resident. */
static void say(const struct churn *churn, u64 before)
{
	printf("%llu %llu\n", (unsigned long long)churn->live_bytes,
	       (unsigned long long)(anonymous_bytes() - before));
	fflush(stdout);
}

int peer_main(char **args)
{
	u32 peer = atoi(args[0]);
	struct churn churn;
	u64 before;

	if (!purge_all(peer))
		return 1;
	churn_begin(&churn, &peer_ops, NULL, atoi(args[1]), strtoull(args[2], NULL, 10));
	printf("\n");
	before = anonymous_bytes();
	churn_fill(&churn);
	say(&churn, before);
	churn_steady(&churn);
	say(&churn, before);
	churn_shrink(&churn);
	purge_all(peer);
	say(&churn, before);
	return 0;
}

/* Starting it. */

static void peer_exec(const struct peer *peer, enum churn_sizes sizes, u64 seed, int fd)
{
	char number[16], sizes_text[16], seed_text[32];

	snprintf(number, sizeof(number), "%d", (int)(peer - peers));
	snprintf(sizes_text, sizeof(sizes_text), "%d", sizes);
	snprintf(seed_text, sizeof(seed_text), "%llu", (unsigned long long)seed);
	if (peer->library)
		setenv("LD_PRELOAD", peer->library, 1);
	else
		unsetenv("LD_PRELOAD");
	dup2(fd, STDOUT_FILENO);
	execl("/proc/self/exe", "bench", PEER_OPTION, number, sizes_text, seed_text, NULL);
	_exit(1);
}

bool peer_churn(const struct peer *peer, enum churn_sizes sizes, u64 seed,
		struct residence residence[MOMENTS])
{
	unsigned long long live, resident;
	int fds[2], status, moment;
	FILE *said;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		bench_die("no pipe");
	pid = fork();
	if (pid < 0)
		bench_die("no process");
	if (!pid)
		peer_exec(peer, sizes, seed, fds[1]);
	close(fds[1]);
	said = fdopen(fds[0], "r");
	for (moment = 0; moment < MOMENTS; moment++) {
		if (fscanf(said, "%llu %llu", &live, &resident) != 2)
			break;
		residence[moment] = (struct residence){ live, resident, 0 };
	}
	fclose(said);
	waitpid(pid, &status, 0);
	return moment == MOMENTS && !status;
}
