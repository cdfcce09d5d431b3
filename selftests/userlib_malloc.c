// SPDX-License-Identifier: GPL-2.0
/*
 * Unmodified programs with their heap in a zone: libshmzone-malloc.so.
 *
 * Each test has a program run with the library preloaded: a real one, whose
 * output is to be the same as without; or this very program, which then, before
 * anything else, calls the function named in an environment variable and exits
 * with its result, 0 or the line that failed.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "utils.h"

#include <shmzone.h>

#define VARIABLE	"SHMZONE_MALLOC_TEST"
#define ZONE_NAME	"malloc_test"
#define LIBRARY		"libshmzone-malloc.so"
#define SLOT		100
#define SPAN		200000

/*
 * Inside. No harness there: what fails is told by its line, which is kept above
 * 0 in an exit status of eight bits.
 */

#define CHECK(condition)						\
do {									\
	if (!(condition)) {						\
		fprintf(stderr, "line %d: %s\n", __LINE__, #condition);	\
		return __LINE__ % 255 + 1;				\
	}								\
} while (0)

/* Sizes that the compiler knows nothing of. */
static volatile size_t slot_bytes = SLOT, span_bytes = SPAN;

/* Whether an address is in a mapping of a zone. */
static bool in_zone(const void *address)
{
	unsigned long first, last;
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &first, &last) != 2)
			continue;
		if ((unsigned long)address >= first && (unsigned long)address < last)
			found = strstr(line, "shmzone");
	}
	fclose(maps);
	return found;
}

static int inside_heap_is_a_zone(void)
{
	char *slot = malloc(slot_bytes), *span = malloc(span_bytes);

	CHECK(in_zone(slot) && in_zone(span));
	CHECK(in_zone(calloc(3, slot_bytes)));
	CHECK(in_zone(memalign(64, slot_bytes)));
	CHECK(malloc_usable_size(slot) >= SLOT && malloc_usable_size(span) >= SPAN);
	slot = realloc(slot, 10 * slot_bytes);
	CHECK(in_zone(slot));
	free(slot);
	free(span);
	free(NULL);
	CHECK(!malloc_usable_size(NULL));
	return 0;
}

static int inside_alignment(void)
{
	size_t bytes, align, page = page_bytes();
	void *object = NULL;

	for (bytes = 0; bytes < 3 * page; bytes += bytes / 16 + 1) {
		object = malloc(bytes);
		CHECK(object && (uintptr_t)object % (bytes > 8 ? 16 : 8) == 0);
		memset(object, 1, bytes);
		for (align = 16; align <= page; align *= 2)
			CHECK((uintptr_t)memalign(align, bytes) % align == 0);
	}
	CHECK((uintptr_t)valloc(10) % page == 0);
	CHECK((uintptr_t)pvalloc(10) % page == 0);
	CHECK(malloc_usable_size(pvalloc(page + 1)) >= 2 * page);
	CHECK(!posix_memalign(&object, 512, 100) && (uintptr_t)object % 512 == 0);
	CHECK(posix_memalign(&object, 4, 100) == EINVAL);
	CHECK(posix_memalign(&object, 24, 100) == EINVAL);
	CHECK(posix_memalign(&object, 2 * page, 100) == EINVAL);
	return 0;
}

static int inside_contents(void)
{
	char *objects[200], *object;
	size_t bytes, i;

	for (i = 0; i < 200; i++)
		objects[i] = memset(malloc(slot_bytes), 7, SLOT);
	for (i = 0; i < 200; i++)
		free(objects[i]);
	/* Most of them, if not all, where one was before. */
	for (i = 0; i < 200; i++) {
		objects[i] = calloc(slot_bytes, 1);
		CHECK(all_bytes(objects[i], SLOT, 0));
	}
	object = memset(objects[0], 7, SLOT);
	for (bytes = 2 * SLOT; bytes < SPAN; bytes *= 3) {
		object = realloc(object, bytes);
		CHECK(all_bytes(object, SLOT, 7));
	}
	object = reallocarray(object, slot_bytes, 1);
	CHECK(all_bytes(object, SLOT, 7));
	CHECK(!realloc(object, slot_bytes - SLOT));
	errno = 0;
	CHECK(!reallocarray(NULL, SIZE_MAX / 2 + slot_bytes, 4) && errno == ENOMEM);
	CHECK(!calloc(SIZE_MAX / 2 + slot_bytes, 4) && errno == ENOMEM);
	CHECK(!malloc(SIZE_MAX - slot_bytes) && errno == ENOMEM);
	return 0;
}

struct family {
	char *slot;
	char *span;
	char *other;
	int told[2];
};

/* The child's part, and the grandchild's. */
static int inherit(const struct family *family, int generations)
{
	char byte, *slot = family->slot;
	pid_t child;
	int status;

	CHECK(!in_zone(slot) && !in_zone(family->span));
	/* Not before the parent has written. */
	CHECK(read(family->told[0], &byte, 1) == 1);
	CHECK(all_bytes(slot, SLOT, 1) && all_bytes(family->span, SPAN, 1));
	CHECK(malloc_usable_size(slot) >= SLOT && malloc_usable_size(family->span) >= SPAN);
	memset(family->span, 3, SPAN);
	slot = realloc(slot, span_bytes);
	CHECK(in_zone(slot) && all_bytes(slot, SLOT, 1));
	free(slot);
	free(family->other);
	CHECK(in_zone(malloc(slot_bytes)));
	if (generations) {
		memset(family->span, 1, SPAN);
		child = fork();
		if (!child)
			_exit(inherit(family, generations - 1));
		CHECK(waitpid(child, &status, 0) == child && !status);
	}
	return 0;
}

static int inside_fork_copies(void)
{
	struct family family = {
		malloc(slot_bytes), malloc(span_bytes), malloc(slot_bytes),
	};
	int status;
	pid_t child;

	CHECK(!pipe(family.told));
	memset(family.slot, 1, SLOT);
	memset(family.span, 1, SPAN);
	child = fork();
	if (!child)
		_exit(inherit(&family, 2));
	memset(family.slot, 2, SLOT);
	memset(family.span, 2, SPAN);
	CHECK(write(family.told[1], "123", 3) == 3);
	CHECK(waitpid(child, &status, 0) == child && !status);
	CHECK(in_zone(family.slot));
	CHECK(all_bytes(family.slot, SLOT, 2) && all_bytes(family.span, SPAN, 2));
	/* Nothing of it was freed by the child. */
	free(family.slot);
	free(family.span);
	free(family.other);
	return 0;
}

static void *many(void *arg)
{
	unsigned int seed = (uintptr_t)arg;
	char *object[64] = {};
	size_t bytes;
	int i, n;

	for (n = 0; n < 1000; n++) {
		i = rand_r(&seed) % 64;
		if (object[i] && !all_bytes(object[i], malloc_usable_size(object[i]), i))
			return "scribbled";
		free(object[i]);
		bytes = rand_r(&seed) % 5000;
		object[i] = malloc(bytes);
		if (!object[i])
			return "no memory";
		memset(object[i], i, malloc_usable_size(object[i]));
	}
	return NULL;
}

static int inside_threads(void)
{
	pthread_t thread[4];
	void *wrong;
	size_t i;
	pid_t child;
	int status;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, many, (void *)(i + 1)));
	child = fork();
	if (!child)
		_exit(many((void *)5) ? 1 : 0);
	CHECK(waitpid(child, &status, 0) == child && !status);
	for (i = 0; i < 4; i++) {
		CHECK(!pthread_join(thread[i], &wrong));
		CHECK(!wrong);
	}
	return 0;
}

static int inside_double_free(void)
{
	/* Slots go into the thread's cache, where nobody looks at them. */
	char *volatile object = malloc(SPAN);

	free(object);
	free(object);
	return 0;
}

static int inside_wild_free(void)
{
	char *volatile object = (char *)&slot_bytes;

	free(object);
	return 0;
}

static int inside_limit(void)
{
	errno = 0;
	CHECK(malloc(slot_bytes));
	CHECK(!malloc(20 * SPAN + slot_bytes) && errno == ENOMEM);
	return 0;
}

static int inside_name(void)
{
	char text[64];

	CHECK(malloc(slot_bytes));
	snprintf(text, sizeof(text), ZONE_NAME ".%d", getpid());
	CHECK(shmz_open(text, SHMZ_RDONLY));
	return 0;
}

static const struct {
	const char *name;
	int (*function)(void);
} insides[] = {
	{ "heap_is_a_zone", inside_heap_is_a_zone }, { "alignment", inside_alignment },
	{ "contents", inside_contents }, { "fork_copies", inside_fork_copies },
	{ "threads", inside_threads }, { "double_free", inside_double_free },
	{ "wild_free", inside_wild_free }, { "limit", inside_limit }, { "name", inside_name },
};

__attribute__((constructor)) static void inside(void)
{
	const char *wanted = getenv(VARIABLE);
	size_t i;

	for (i = 0; wanted && i < sizeof(insides) / sizeof(insides[0]); i++)
		if (!strcmp(wanted, insides[i].name))
			exit(insides[i].function());
	if (wanted)
		exit(255);
}

/* Outside. */

/* The library's file, beside this program's directory. */
static const char *library(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	path[n < 0 ? 0 : n] = 0;
	slash = strrchr(path, '/');
	strcpy(slash ? slash : path, "/../userlib/" LIBRARY);
	return path;
}

/* Like system(), with the library. A status as of waitpid(). */
static int run(char *const *argv, int out)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setenv("LD_PRELOAD", library(), 1);
		if (out >= 0)
			dup2(out, STDOUT_FILENO);
		execv(argv[0], argv);
		_exit(126);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int run_inside(const char *test)
{
	char *argv[] = { "/proc/self/exe", NULL };
	int status;

	setenv(VARIABLE, test, 1);
	status = run(argv, -1);
	unsetenv(VARIABLE);
	return status;
}

TEST(heap_is_a_zone)
{
	ASSERT_EQ(0, run_inside("heap_is_a_zone"));
}

TEST(alignment)
{
	ASSERT_EQ(0, run_inside("alignment"));
}

TEST(contents)
{
	ASSERT_EQ(0, run_inside("contents"));
}

TEST(fork_copies)
{
	ASSERT_EQ(0, run_inside("fork_copies"));
}

TEST(threads)
{
	ASSERT_EQ(0, run_inside("threads"));
}

TEST(bad_frees_end_the_program)
{
	ASSERT_EQ(SIGABRT, WTERMSIG(run_inside("double_free")));
	ASSERT_EQ(SIGABRT, WTERMSIG(run_inside("wild_free")));
}

TEST(limit)
{
	setenv("SHMZONE_MALLOC_BYTES", "1G", 1);
	setenv("SHMZONE_MALLOC_LIMIT", "1M", 1);
	ASSERT_EQ(0, run_inside("limit"));
	setenv("SHMZONE_MALLOC_LIMIT", "1X", 1);
	ASSERT_EQ(SIGABRT, WTERMSIG(run_inside("limit")));
	unsetenv("SHMZONE_MALLOC_LIMIT");
	unsetenv("SHMZONE_MALLOC_BYTES");
}

TEST(name)
{
	setenv("SHMZONE_MALLOC_NAME", ZONE_NAME, 1);
	ASSERT_EQ(0, run_inside("name"));
	unsetenv("SHMZONE_MALLOC_NAME");
}

/*
 * What a program writes is what is expected; and its malloc() is the library's,
 * as it minds what is said to that.
 */
static bool prints(char *const *argv, const char *expected)
{
	char said[4096] = "";
	FILE *file = tmpfile();
	int status;

	setenv("SHMZONE_MALLOC_BYTES", "1X", 1);
	status = run(argv, fileno(file));
	unsetenv("SHMZONE_MALLOC_BYTES");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		return false;
	status = run(argv, fileno(file));
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = 0;
	fclose(file);
	if (!status && !strcmp(said, expected))
		return true;
	printf("# %s: status %x, said '%s'\n", argv[0], status, said);
	return false;
}

TEST(sqlite3)
{
	char *argv[] = {
		"/usr/bin/sqlite3", ":memory:",
		"create table t(a, b);"
		"with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000)"
		" insert into t select x, hex(x * 7) from c;"
		"create index i on t(b); delete from t where a % 3;"
		"select count(*), sum(length(b)), max(a) from t where b > '3';"
		"pragma integrity_check;", NULL
	};

	if (access(argv[0], X_OK))
		SKIP(return, "there is no sqlite3");
	ASSERT_TRUE(prints(argv, "1000|8946|3000\nok\n"));
}

TEST(python3)
{
	char *argv[] = {
		"/usr/bin/python3", "-c",
		"import os, subprocess\n"
		"d = {i: [str(i)] * 3 for i in range(2000)}\n"
		"child = os.fork()\n"
		"if child == 0:\n"
		"    n = len(d); d.clear(); e = [str(i) for i in range(n)]\n"
		"    os._exit(len(e) == 2000 and e[7] == '7')\n"
		"print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(d), d[1999])\n"
		"print(subprocess.check_output(['/bin/echo', 'hello']))\n", NULL
	};

	if (access(argv[0], X_OK))
		SKIP(return, "there is no python3");
	setenv("PYTHONMALLOC", "malloc", 1);
	ASSERT_TRUE(prints(argv, "1 2000 ['1999', '1999', '1999']\nb'hello\\n'\n"));
	unsetenv("PYTHONMALLOC");
}

TEST(gcc)
{
	char *argv[] = {
		"/bin/sh", "-c",
		"d=$(mktemp -d) && cd $d && "
		"printf '#include <stdio.h>\\nint main(void) { puts(\"hi\"); }\\n' >a.c && "
		"gcc -O2 a.c -o a && ./a && cd / && rm -r $d", NULL
	};

	if (access("/usr/bin/gcc", X_OK))
		SKIP(return, "there is no gcc");
	ASSERT_TRUE(prints(argv, "hi\n"));
}

TEST_HARNESS_MAIN
