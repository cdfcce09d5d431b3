// SPDX-License-Identifier: GPL-2.0
/*
 * Sharing a zone: over fork, a socket, exec and a name, what one process does
 * is what the other sees, at the same offsets.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "utils.h"

#define ZONE_BYTES	(16 * MIB)
#define OBJECT_BYTES	5000

/* What the partner needs to know; it finds the zone in its own way. */
struct task {
	int fd;
	const char *name;
	__u64 offset;
};

FIXTURE(share) {
	struct task task;
	char *data;
	int control;
	int zone;
};

FIXTURE_SETUP(share)
{
	self->control = control_fd();
	self->zone = create(self->control, ZONE_BYTES);
	self->data = map_data_ok(self->zone, ZONE_BYTES, PROT_READ | PROT_WRITE);
	self->task.fd = self->zone;
	self->task.offset = alloc(self->zone, OBJECT_BYTES);
	fill_pattern(self->data + self->task.offset, OBJECT_BYTES, 1);
}

FIXTURE_TEARDOWN(share)
{
	close(self->zone);
	close(self->control);
}

/* The partner: finds pattern 1, leaves pattern 2. */
static int answer(int zone, __u64 offset, size_t zone_bytes)
{
	char *data = map_data(zone, zone_bytes, PROT_READ | PROT_WRITE);
	struct shmzone_query query;

	if (data == MAP_FAILED)
		return 1;
	if (_try_query(zone, offset, &query))
		return 2;
	if (!has_pattern(data + offset, OBJECT_BYTES, 1))
		return 3;
	fill_pattern(data + offset, OBJECT_BYTES, 2);
	return 0;
}

#define was_answered(offset)						\
	ASSERT_TRUE(has_pattern(self->data + (offset), OBJECT_BYTES, 2))

static int answer_inherited(void *arg)
{
	struct task *task = arg;

	return answer(task->fd, task->offset, ZONE_BYTES);
}

TEST_F(share, descriptor_over_fork)
{
	ASSERT_EQ(0, in_child(answer_inherited, &self->task));
	was_answered(self->task.offset);
}

static int answer_in_inherited_mapping(void *arg)
{
	FIXTURE_DATA(share) *self = arg;
	char *object = self->data + self->task.offset;

	close(self->zone);
	if (!has_pattern(object, OBJECT_BYTES, 1))
		return 1;
	fill_pattern(object, OBJECT_BYTES, 2);
	return 0;
}

TEST_F(share, mapping_over_fork)
{
	ASSERT_EQ(0, in_child(answer_in_inherited_mapping, self));
	was_answered(self->task.offset);
}

static int free_and_alloc(void *arg)
{
	struct task *task = arg;
	__u64 offset;

	if (_try_free_at(task->fd, task->offset) != 1)
		return 1;
	return _try_alloc(task->fd, OBJECT_BYTES, 1, &offset) == 1 ? 0 : 2;
}

TEST_F(share, one_allocates_and_another_frees)
{
	ASSERT_EQ(0, in_child(free_and_alloc, &self->task));
	/* The child's object lives on without it. */
	ASSERT_EQ(1, stat_of(self->zone).out_live_objects);
	ASSERT_EQ(2, stat_of(self->zone).out_requests);
}

static bool send_fd(int socket, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = {};
	struct iovec data = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1;
}

static int receive_fd(int socket)
{
	char space[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 &&
	    CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static int answer_received(void *arg)
{
	struct task *task = arg;

	return answer(receive_fd(task->fd), task->offset, ZONE_BYTES);
}

TEST_F(share, descriptor_over_a_socket)
{
	int pair[2];
	pid_t partner;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	self->task.fd = pair[1];
	partner = start_child(answer_received, &self->task);
	ASSERT_TRUE(send_fd(pair[0], self->zone));
	ASSERT_EQ(0, end_child(partner));
	was_answered(self->task.offset);
}

TEST_F(share, descriptor_left_in_a_socket_keeps_the_zone)
{
	struct shmzone_info args;
	int pair[2], fd;

	info(self->control, &args);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_TRUE(send_fd(pair[0], self->zone));
	ASSERT_EQ(0, munmap(self->data, ZONE_BYTES));
	close(self->zone);
	ASSERT_TRUE(zones_become(self->control, args.out_zones));
	fd = receive_fd(pair[1]);
	free_at(fd, self->task.offset);
	close(fd);
	ASSERT_TRUE(zones_become(self->control, args.out_zones - 1));
}

/* This very program, when run by the test below. */
static void __attribute__((constructor)) answer_after_exec(void)
{
	const char *task = getenv("SHMZONE_SHARE_TASK");
	unsigned long long offset;
	int fd;

	if (task && sscanf(task, "%d %llu", &fd, &offset) == 2)
		_exit(answer(fd, offset, ZONE_BYTES));
}

static int execute_self(void *arg)
{
	struct task *task = arg;
	char text[64];

	snprintf(text, sizeof(text), "%d %llu", task->fd, task->offset);
	setenv("SHMZONE_SHARE_TASK", text, 1);
	execl("/proc/self/exe", "share", NULL);
	return 255;
}

TEST_F(share, inherited_descriptor_over_exec)
{
	ASSERT_EQ(0, fcntl(self->zone, F_SETFD, 0));
	ASSERT_EQ(0, in_child(execute_self, &self->task));
	was_answered(self->task.offset);
}

TEST_F(share, descriptor_is_closed_by_exec_unless_kept)
{
	ASSERT_EQ(1, in_child(execute_self, &self->task));
}

static int answer_by_name(void *arg)
{
	struct task *task = arg;
	int zone = _try_open_zone(_try_control(), task->name, 0);

	return zone < 0 ? -zone : answer(zone, task->offset, MIB);
}

TEST_F(share, name_between_unrelated_processes)
{
	int zone;

	self->task.name = fresh_name();
	zone = create_named(self->control, self->task.name, 0600);
	self->task.offset = alloc(zone, OBJECT_BYTES);
	self->data = map_data_ok(zone, MIB, PROT_READ | PROT_WRITE);
	fill_pattern(self->data + self->task.offset, OBJECT_BYTES, 1);
	ASSERT_EQ(0, in_child(answer_by_name, &self->task));
	was_answered(self->task.offset);
}

static int read_what_follows(void *arg)
{
	struct task *task = arg;
	int zone = _try_open_zone(_try_control(), task->name, SHMZONE_OPEN_RDONLY);
	const volatile char *data = map_data(zone, MIB, PROT_READ);
	int i;

	/* Wait for the writer, who comes after the mapping was made. */
	for (i = 0; i < 5000 && data[task->offset] != 'w'; i++)
		usleep(1000);
	return data[task->offset] == 'w' ? 0 : 1;
}

TEST_F(share, reader_sees_the_writer)
{
	pid_t reader;
	int zone;

	self->task.name = fresh_name();
	zone = create_named(self->control, self->task.name, 0600);
	self->task.offset = alloc(zone, 64);
	reader = start_child(read_what_follows, &self->task);
	usleep(50000);
	self->data = map_data_ok(zone, MIB, PROT_READ | PROT_WRITE);
	self->data[self->task.offset] = 'w';
	ASSERT_EQ(0, end_child(reader));
}

static int alloc_distinct(void *arg)
{
	FIXTURE_DATA(share) *self = arg;
	int i;

	for (i = 0; i < 200; i++) {
		__u64 offset;

		if (_try_alloc(self->zone, 256, 1, &offset) != 1)
			return 1;
		/* Nobody else has it: all objects were zero or one's own. */
		if (!all_bytes(self->data + offset, 256, 0))
			return 2;
		memset(self->data + offset, 1 + getpid() % 250, 256);
	}
	return 0;
}

TEST_F(share, four_processes_get_distinct_objects)
{
	pid_t children[4];
	int i;

	for (i = 0; i < 4; i++)
		children[i] = start_child(alloc_distinct, self);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, end_child(children[i]));
	ASSERT_EQ(1 + 4 * 200, stat_of(self->zone).out_live_objects);
}

TEST_HARNESS_MAIN
