// SPDX-License-Identifier: GPL-2.0
/*
 * The library between processes: objects by name, and waiting for memory.
 */
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "kselftest_harness.h"
#include "userlib.h"

#define ZONE_BYTES	(64 * MIB)
#define MS		1000000ULL

FIXTURE(peers) {
	struct shmz *zone;
	const char *name;
};

FIXTURE_SETUP(peers)
{
	self->name = fresh_name();
	self->zone = shmz_create(self->name, ZONE_BYTES, NULL);
	ASSERT_NE(NULL, self->zone);
}

FIXTURE_TEARDOWN(peers)
{
	shmz_close(self->zone);
}

TEST_F(peers, root_set_get_delete)
{
	char *a = not_null(shmz_alloc(self->zone, 100));
	char *b = not_null(shmz_alloc(self->zone, 100));

	is_null(ENOENT, shmz_root_get(self->zone, "a"));
	errno = EXDEV;
	ASSERT_EQ(0, shmz_root_set(self->zone, "a", a));
	ASSERT_EQ(a, not_null(shmz_root_get(self->zone, "a")));
	ASSERT_EQ(0, shmz_root_set(self->zone, "a", b));
	ASSERT_EQ(b, not_null(shmz_root_get(self->zone, "a")));
	ASSERT_EQ(0, shmz_root_delete(self->zone, "a"));
	ASSERT_EQ(-ENOENT, shmz_root_delete(self->zone, "a"));
	ASSERT_EQ(EXDEV, errno);
	is_null(ENOENT, shmz_root_get(self->zone, "a"));
	ASSERT_EQ(2, live_objects(self->zone));
}

TEST_F(peers, root_that_is_refused)
{
	char longest[SHMZONE_ROOT_NAME_MAX + 2] = {};
	char *a = not_null(shmz_alloc(self->zone, 100));

	ASSERT_EQ(0, shmz_root_set(self->zone, "a", a));
	memset(longest, 'x', SHMZONE_ROOT_NAME_MAX + 1);
	is_null(ENAMETOOLONG, shmz_root_get(self->zone, longest));
	ASSERT_EQ(-ENAMETOOLONG, shmz_root_set(self->zone, longest, a));
	ASSERT_EQ(-ENAMETOOLONG, shmz_root_delete(self->zone, longest));
	is_null(EINVAL, shmz_root_get(self->zone, ""));
	is_null(EINVAL, shmz_root_get(self->zone, NULL));
	ASSERT_EQ(-EINVAL, shmz_root_set(self->zone, NULL, a));
	ASSERT_EQ(-EINVAL, shmz_root_delete(self->zone, NULL));
	/* No objects; and none of them removes the root. */
	ASSERT_EQ(-EINVAL, shmz_root_set(self->zone, "a", NULL));
	ASSERT_EQ(-EINVAL, shmz_root_set(self->zone, "a", shmz_base(self->zone)));
	ASSERT_EQ(-EINVAL, shmz_root_set(self->zone, "a", a + 8));
	ASSERT_EQ(-EINVAL, shmz_root_set(self->zone, "a", longest));
	ASSERT_EQ(a, not_null(shmz_root_get(self->zone, "a")));
}

TEST_F(peers, root_compare_and_swap)
{
	char *a = not_null(shmz_alloc(self->zone, 100));
	char *b = not_null(shmz_alloc(self->zone, 100));
	void *expected = NULL;

	ASSERT_EQ(0, shmz_root_cas(self->zone, "a", &expected, a));
	ASSERT_EQ(NULL, expected);
	ASSERT_EQ(-EAGAIN, shmz_root_cas(self->zone, "a", &expected, b));
	ASSERT_EQ(a, expected);
	ASSERT_EQ(0, shmz_root_cas(self->zone, "a", &expected, b));
	ASSERT_EQ(a, expected);
	ASSERT_EQ(-EAGAIN, shmz_root_cas(self->zone, "a", &expected, NULL));
	ASSERT_EQ(0, shmz_root_cas(self->zone, "a", &expected, NULL));
	ASSERT_EQ(-EAGAIN, shmz_root_cas(self->zone, "a", &expected, a));
	ASSERT_EQ(NULL, expected);
	/* The start of the zone is not "none". */
	ASSERT_EQ(-EINVAL, shmz_root_cas(self->zone, "a", &expected, shmz_base(self->zone)));
	expected = shmz_base(self->zone);
	ASSERT_EQ(-EINVAL, shmz_root_cas(self->zone, "a", &expected, a));
	is_null(ENOENT, shmz_root_get(self->zone, "a"));
}

TEST_F(peers, root_list)
{
	struct shmzone_root roots[3];
	char *a = not_null(shmz_alloc(self->zone, 100));

	ASSERT_EQ(0, shmz_root_list(self->zone, NULL, roots, sizeof(roots[0]), 3));
	ASSERT_EQ(0, shmz_root_set(self->zone, "b", a));
	ASSERT_EQ(0, shmz_root_set(self->zone, "a", a));
	ASSERT_EQ(2, shmz_root_list(self->zone, NULL, roots, sizeof(roots[0]), 3));
	ASSERT_EQ(0, strcmp("a", roots[0].name));
	ASSERT_EQ(1, shmz_root_list(self->zone, "a", roots, sizeof(roots[0]), 3));
	ASSERT_EQ(0, strcmp("b", roots[0].name));
	ASSERT_EQ(a, shmz_pointer(self->zone, roots[0].offset));
	ASSERT_EQ(-EINVAL, shmz_root_list(self->zone, NULL, roots, 8, 3));
}

struct config {
	__u64 magic;
	__u64 maker;
};

static int init_config(void *p, void *arg)
{
	struct config *config = p;

	if (!all_bytes(p, sizeof(*config), 0))
		return -EUCLEAN;
	config->maker = getpid();
	errno = EIO;	/* nobody is to notice */
	/* Let the others catch up. */
	usleep(1000);
	config->magic = 42;
	return arg ? *(int *)arg : 0;
}

TEST_F(peers, root_init)
{
	struct config *config = not_null(shmz_root_init(self->zone, "config", sizeof(*config),
							init_config, NULL));

	ASSERT_EQ(42, config->magic);
	ASSERT_EQ(config, not_null(shmz_root_init(self->zone, "config", sizeof(*config),
						  init_config, NULL)));
	ASSERT_EQ(config, not_null(shmz_root_get(self->zone, "config")));
	ASSERT_EQ(1, live_objects(self->zone));
	not_null(shmz_root_init(self->zone, "no function", 8, NULL, NULL));
}

TEST_F(peers, root_init_that_fails)
{
	int error = -ECANCELED;
	struct shmz *reader;

	is_null(ECANCELED, shmz_root_init(self->zone, "a", 16, init_config, &error));
	is_null(ENOMEM, shmz_root_init(self->zone, "a", ZONE_BYTES, init_config, NULL));
	is_null(EINVAL, shmz_root_init(self->zone, "", 16, init_config, NULL));
	is_null(EINVAL, shmz_root_init(self->zone, NULL, 16, init_config, NULL));
	ASSERT_EQ(0, live_objects(self->zone));
	is_null(ENOENT, shmz_root_get(self->zone, "a"));

	reader = not_null(shmz_open(self->name, SHMZ_RDONLY));
	is_null(EACCES, shmz_root_init(reader, "a", 16, init_config, NULL));
	not_null(shmz_root_init(self->zone, "a", 16, init_config, NULL));
	not_null(shmz_root_init(reader, "a", 16, init_config, NULL));
	ASSERT_EQ(-EACCES, shmz_root_delete(reader, "a"));
	shmz_close(reader);
}

/* Its number is the pid of the one whose object became the root. */
static int init_in_child(void *arg)
{
	struct config *config = shmz_root_init(arg, "race", sizeof(*config), init_config, NULL);

	if (!config || config->magic != 42 || !config->maker)
		return 2;
	return config->maker == getpid() ? 1 : 0;
}

TEST_F(peers, root_init_by_many)
{
	pid_t children[6];
	int i, round, makers;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < 6; i++)
			children[i] = start_child(init_in_child, self->zone);
		for (makers = 0, i = 0; i < 6; i++)
			makers += end_child(children[i]);
		ASSERT_EQ(1, makers);
		ASSERT_EQ(1, live_objects(self->zone));
		ASSERT_EQ(0, shmz_free(self->zone, shmz_root_get(self->zone, "race")));
		ASSERT_EQ(0, shmz_root_delete(self->zone, "race"));
	}
}

FIXTURE(full) {
	struct shmz *zone;
	char *all;
};

FIXTURE_SETUP(full)
{
	self->zone = shmz_create(NULL, MIB, NULL);
	ASSERT_NE(NULL, self->zone);
	self->all = shmz_alloc(self->zone, MIB - page_bytes());
	ASSERT_NE(NULL, self->all);
}

FIXTURE_TEARDOWN(full)
{
	shmz_close(self->zone);
}

static int free_later(void *arg)
{
	FIXTURE_DATA(full) *self = arg;

	usleep(20000);
	return shmz_free(self->zone, self->all) ? 1 : 0;
}

TEST_F(full, wait_until_another_frees)
{
	pid_t child = start_child(free_later, self);
	char *object = not_null(shmz_alloc_wait(self->zone, 100, SHMZ_FOREVER));

	memset(object, 1, 100);
	ASSERT_EQ(0, end_child(child));
	ASSERT_EQ(0, shmz_free(self->zone, object));
}

TEST_F(full, wait_in_a_group)
{
	struct shmzone_query query;
	pid_t child = start_child(free_later, self);
	char *object = not_null(shmz_alloc_wait_group(self->zone, 100, 3600 * 1000 * MS, 5));

	ASSERT_EQ(0, end_child(child));
	ASSERT_EQ(0, _try_query(shmz_fd(self->zone), shmz_offset(self->zone, object), &query));
	ASSERT_EQ(5, query.out_group);
	is_null(EINVAL, shmz_alloc_wait_group(self->zone, 8, SHMZ_FOREVER, SHMZONE_GROUPS));
}

TEST_F(full, wait_ends)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	is_null(ETIMEDOUT, shmz_alloc_wait(self->zone, 100, 20 * MS));
	clock_gettime(CLOCK_MONOTONIC, &end);
	ASSERT_LE(20 * MS, (end.tv_sec - start.tv_sec) * 1000 * MS +
			   end.tv_nsec - start.tv_nsec);
	/* Without time there is no waiting, and it says so. */
	is_null(ENOMEM, shmz_alloc_wait(self->zone, 100, 0));
	/* What can never be, at once. */
	is_null(ENOMEM, shmz_alloc_wait(self->zone, MIB, SHMZ_FOREVER));
}

static void on_alarm(int signal)
{
}

TEST_F(full, wait_is_interrupted)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	is_null(EINTR, shmz_alloc_wait(self->zone, 100, SHMZ_FOREVER));
}

TEST_F(full, poll_on_the_descriptor)
{
	struct pollfd poller = { .fd = shmz_fd(self->zone), .events = POLLOUT };
	pid_t child;

	ASSERT_EQ(1, poll(&poller, 1, 0));
	is_null(ENOMEM, shmz_alloc(self->zone, 100));
	ASSERT_EQ(0, poll(&poller, 1, 0));
	child = start_child(free_later, self);
	ASSERT_EQ(1, poll(&poller, 1, -1));
	ASSERT_EQ(POLLOUT, poller.revents);
	not_null(shmz_alloc(self->zone, 100));
	ASSERT_EQ(0, end_child(child));
}

TEST_HARNESS_MAIN
