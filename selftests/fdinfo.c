// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/fdinfo of a zone descriptor: the same as the commands tell, under
 * keys that stay.
 */
#include <fcntl.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "utils.h"

FIXTURE(fdinfo) {
	const char *name;
	int control;
	int zone;
};

FIXTURE_SETUP(fdinfo)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = 4 * MIB,
		.limit_bytes = 3 * MIB,
		.mode = 0600,
	};

	self->name = fresh_name();
	args.name = to_u64(self->name);
	args.name_len = strlen(self->name);
	self->control = control_fd();
	self->zone = call(self->control, SHMZONE_CREATE, &args);
}

FIXTURE_TEARDOWN(fdinfo)
{
	close(self->zone);
	close(self->control);
}

#define is_text(wanted, fd, key)					\
do {									\
	char _text[SHMZONE_NAME_MAX * 4 + 1];				\
									\
	ASSERT_TRUE(fdinfo_text(fd, key, _text, sizeof(_text)));	\
	ASSERT_STREQ(wanted, _text);					\
} while (0)

TEST_F(fdinfo, figures)
{
	char *data = map_data_ok(self->zone, MIB, PROT_READ | PROT_WRITE);
	struct shmzone_stat stat;

	alloc(self->zone, 100);
	alloc(self->zone, 100000);
	memset(data, 1, 5 * page_bytes());
	stat = stat_of(self->zone);
	ASSERT_EQ(stat.out_id, fdinfo_number(self->zone, "id"));
	ASSERT_EQ(4 * MIB, fdinfo_number(self->zone, "size"));
	ASSERT_EQ(3 * MIB, fdinfo_number(self->zone, "limit"));
	ASSERT_EQ(stat.out_taken_bytes, fdinfo_number(self->zone, "taken"));
	ASSERT_EQ(stat.out_live_bytes, fdinfo_number(self->zone, "live"));
	ASSERT_LT(100000, stat.out_live_bytes);
	ASSERT_EQ(stat.out_resident_bytes, fdinfo_number(self->zone, "resident"));
	ASSERT_EQ(5 * page_bytes(), stat.out_resident_bytes);
	ASSERT_EQ(0, fdinfo_number(self->zone, "swapped"));
	set_limit(self->zone, MIB);
	ASSERT_EQ(MIB, fdinfo_number(self->zone, "limit"));
	ASSERT_EQ(UINT64_MAX, fdinfo_number(self->zone, "nonsense"));
}

TEST_F(fdinfo, name)
{
	int nameless = create(self->control, MIB);

	is_text(self->name, self->zone, "name");
	is_text("", nameless, "name");
	unlink_zone(self->control, self->name);
	is_text("", self->zone, "name");
}

/* One line each, whatever the name. */
TEST_F(fdinfo, name_with_line_breaks)
{
	int zone = create_named(self->control, "a\nshmzone-id:\t7\\", 0600);

	is_text("a\\012shmzone-id:\\0117\\134", zone, "name");
	ASSERT_EQ(stat_of(zone).out_id, fdinfo_number(zone, "id"));
}

TEST_F(fdinfo, rights)
{
	is_text("rw", self->zone, "rights");
	is_text("ro", reopen(self->zone, SHMZONE_OPEN_RDONLY), "rights");
}

TEST_F(fdinfo, seals)
{
	is_text("", self->zone, "seals");
	add_seals(self->zone, SHMZONE_SEAL_WRITE);
	is_text("write", self->zone, "seals");
	add_seals(self->zone, SHMZONE_SEAL_SEAL | SHMZONE_SEAL_ALLOC |
			      SHMZONE_SEAL_LIMIT);
	is_text("seal,alloc,limit,write", self->zone, "seals");
}

TEST_F(fdinfo, not_of_control_descriptors)
{
	ASSERT_EQ(UINT64_MAX, fdinfo_number(self->control, "id"));
}

/* It is for those who may look into the process. */
static int look_at_parent(void *arg)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getppid(), *(int *)arg);
	if (!become(STRANGER, STRANGER))
		return 255;
	fd = open(path, O_RDONLY);
	return fd < 0 ? errno : 0;
}

TEST_F(fdinfo, not_for_strangers)
{
	ASSERT_EQ(EACCES, in_child(look_at_parent, &self->zone));
}

static int use_and_end(void *arg)
{
	int zone = *(int *)arg;
	__u64 offset;
	int i;

	for (i = 0; i < 300; i++)
		if (_try_alloc(zone, 1000, 1, &offset) != 1 ||
		    _try_free_at(zone, offset) != 1)
			return 1;
	return 0;
}

TEST_F(fdinfo, read_while_in_use)
{
	pid_t user = start_child(use_and_end, &self->zone);
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_NE(UINT64_MAX, fdinfo_number(self->zone, "taken"));
		if (i == 50)
			unlink_zone(self->control, self->name);
	}
	ASSERT_EQ(0, end_child(user));
}

TEST_HARNESS_MAIN
