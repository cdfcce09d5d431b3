// SPDX-License-Identifier: GPL-2.0
/*
 * The rules that are the same for every command: sizes, flags, reserved
 * fields, pointers, numbers, kinds of descriptors.
 *
 * Each command is a variant of one fixture. Its arguments are valid; a test
 * spoils one thing, expects the errno, and that nothing but the count of
 * refused calls changed, and then that the same arguments unspoilt succeed.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/ioctl.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "utils.h"
#include "caches.h"
#include "abi_commands.h"

/* A refused call that had an effect: no errno is that large. */
#define HAD_EFFECT	100000

FIXTURE(command) {
	struct targets targets;
	union arguments *args;
	union arguments valid;
	int control;
	int zone;
	int fd;
	int wrong_fd;
};

FIXTURE_VARIANT(command) {
	unsigned long cmd;
	void (*fill)(union arguments *args, struct targets *targets);
	size_t size;		/* of the structure, and of its first version */
	size_t size_ver0;
	size_t out;		/* where the out_ fields begin */
	size_t in;		/* where other fields follow them; 0: nowhere */
	size_t reserved;	/* where reserved __u32 are; 0: nowhere */
	size_t reserved_bytes;
	__u32 flags;		/* flags it knows */
	bool on_control;
	bool on_zone;
	bool may_repeat;	/* the same arguments are valid again */
	bool of_client;		/* who calls it has to have caches */
	bool owned;		/* the zone has to be owned */
	bool of_nobodys;	/* the object has to be nobody's */
};

#define VARIANT(_name, _NAME, _out)					\
	.cmd = SHMZONE_##_NAME,						\
	.fill = fill_##_name,						\
	.size = sizeof(struct shmzone_##_name),				\
	.size_ver0 = SHMZONE_##_NAME##_SIZE_VER0,			\
	.out = _out

#define OUT(_name, _field)	offsetof(struct shmzone_##_name, _field)
#define NO_OUT(_name)		sizeof(struct shmzone_##_name)
#define RESERVED(_name)							\
	.reserved = offsetof(struct shmzone_##_name, __reserved),	\
	.reserved_bytes = sizeof(((struct shmzone_##_name *)0)->__reserved)

FIXTURE_VARIANT_ADD(command, info_of_control) {
	VARIANT(info, INFO, OUT(info, out_abi_version)),
	.on_control = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, info_of_zone) {
	VARIANT(info, INFO, OUT(info, out_abi_version)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, create) {
	VARIANT(create, CREATE, NO_OUT(create)),
	.flags = SHMZONE_CREATE_EXCL | SHMZONE_CREATE_PERSIST |
		 SHMZONE_CREATE_COMMITTED | SHMZONE_CREATE_STRICT |
		 SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED,
	.on_control = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, open) {
	VARIANT(open, OPEN, NO_OUT(open)), RESERVED(open),
	.flags = SHMZONE_OPEN_RDONLY, .on_control = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, unlink) {
	VARIANT(unlink, UNLINK, NO_OUT(unlink)), RESERVED(unlink),
	.on_control = true,
};

FIXTURE_VARIANT_ADD(command, alloc) {
	VARIANT(alloc, ALLOC, OUT(alloc, out_count)), RESERVED(alloc),
	.in = offsetof(struct shmzone_alloc, timeout_ns),
	.flags = SHMZONE_ALLOC_WAIT, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, free) {
	VARIANT(free, FREE, OUT(free, out_count)), RESERVED(free),
	.on_zone = true,
};

FIXTURE_VARIANT_ADD(command, query) {
	VARIANT(query, QUERY, OUT(query, out_bytes)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, stat) {
	VARIANT(stat, STAT, OUT(stat, out_id)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, class_stat) {
	VARIANT(class_stat, CLASS_STAT, OUT(class_stat, out_count)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, root_get) {
	VARIANT(root_get, ROOT_GET, OUT(root_get, out_offset)), RESERVED(root_get),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, root_set) {
	VARIANT(root_set, ROOT_SET, OUT(root_set, out_old)), RESERVED(root_set),
	.flags = SHMZONE_ROOT_SET_CAS, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, root_list) {
	VARIANT(root_list, ROOT_LIST, OUT(root_list, out_count)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, list) {
	VARIANT(list, LIST, OUT(list, out_cursor)),
	.on_control = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, permit) {
	VARIANT(permit, PERMIT, NO_OUT(permit)),
	.flags = SHMZONE_PERMIT_MODE | SHMZONE_PERMIT_UID | SHMZONE_PERMIT_GID,
	.on_control = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, reopen) {
	VARIANT(reopen, REOPEN, NO_OUT(reopen)), RESERVED(reopen),
	.flags = SHMZONE_OPEN_RDONLY, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, set_limit) {
	VARIANT(set_limit, SET_LIMIT, NO_OUT(set_limit)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, add_seals) {
	VARIANT(add_seals, ADD_SEALS, NO_OUT(add_seals)), RESERVED(add_seals),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, get_seals) {
	VARIANT(get_seals, GET_SEALS, OUT(get_seals, out_seals)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, cache_refill) {
	VARIANT(cache_refill, CACHE_REFILL, OUT(cache_refill, out_bin)),
	RESERVED(cache_refill), .of_client = true, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, cache_drain) {
	VARIANT(cache_drain, CACHE_DRAIN, OUT(cache_drain, out_bin)),
	RESERVED(cache_drain), .flags = SHMZONE_CACHE_DRAIN_ALL | SHMZONE_CACHE_DRAIN_SHARED,
	.of_client = true, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, cache_reclaim) {
	VARIANT(cache_reclaim, CACHE_RECLAIM, OUT(cache_reclaim, out_caches)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, cache_client) {
	VARIANT(cache_client, CACHE_CLIENT, OUT(cache_client, out_client)),
	.of_client = true, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, cache_sync) {
	VARIANT(cache_sync, CACHE_SYNC, NO_OUT(cache_sync)),
	.on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, give) {
	VARIANT(give, GIVE, OUT(give, out_count)), RESERVED(give),
	.of_client = true, .owned = true, .on_zone = true,
};

FIXTURE_VARIANT_ADD(command, offer) {
	VARIANT(offer, OFFER, OUT(offer, out_count)), RESERVED(offer),
	.of_client = true, .owned = true, .on_zone = true, .may_repeat = true,
};

FIXTURE_VARIANT_ADD(command, take) {
	VARIANT(take, TAKE, OUT(take, out_count)), RESERVED(take),
	.of_client = true, .owned = true, .of_nobodys = true, .on_zone = true,
};

FIXTURE_VARIANT_ADD(command, link) {
	VARIANT(link, LINK, OUT(link, out_count)), RESERVED(link),
	.of_client = true, .owned = true, .on_zone = true,
};

FIXTURE_VARIANT_ADD(command, walk) {
	VARIANT(walk, WALK, OUT(walk, out_cursor)),
	.on_zone = true, .may_repeat = true,
};

static int create_owned(int control, const char *name)
{
	struct shmzone_create args = {
		SIZED(shmzone_create), .flags = SHMZONE_CREATE_OWNED,
		.zone_bytes = MIB, .name = to_u64(name), .name_len = strlen(name),
		.mode = 0600,
	};

	return _try_call(control, SHMZONE_CREATE, &args);
}

FIXTURE_SETUP(command)
{
	struct targets *t = &self->targets;

	self->control = control_fd();
	/* An owned zone ends a moment after the last test's process. */
	ASSERT_TRUE(zones_become(self->control, 0));
	t->name = fresh_name();
	t->other_name = fresh_name();
	self->zone = not_negative(variant->owned ?
				  create_owned(self->control, t->name) :
				  _try_create_named(self->control, t->name, 0600));
	/* With 32 bits, no file offset is large enough for where they begin. */
	if (sizeof(long) > 4)
		map_caches_ok(self->zone, 1);
	else if (variant->of_client)
		SKIP(return, "a program of 32 bits has no caches");
	t->object = alloc(self->zone, 64);
	if (variant->owned)
		t->parent = alloc(self->zone, 64);
	if (variant->of_nobodys) {
		fill_give(&self->valid, t);
		self->valid.size = sizeof(self->valid.give);
		call(self->zone, SHMZONE_GIVE, &self->valid);
	}
	self->fd = variant->on_zone ? self->zone : self->control;
	self->wrong_fd = variant->on_zone ? self->control : self->zone;

	memset(&self->valid, 0, sizeof(self->valid));
	variant->fill(&self->valid, t);
	self->valid.size = variant->size;
	self->args = malloc(sizeof(*self->args));
	ASSERT_TRUE(!!self->args);
	*self->args = self->valid;
}

FIXTURE_TEARDOWN(command)
{
	free(self->args);
	close(self->zone);
	close(self->control);
}

static __u64 refused_calls(const struct figures *figures, bool of_zone)
{
	return of_zone ? figures->stat.out_refused_calls :
			 figures->info.out_refused_calls;
}

/*
 * Make a call that is to be refused. Gives its result, or HAD_EFFECT if it did
 * anything but count one refused call on that descriptor.
 */
static int refuse(FIXTURE_DATA(command) *self, int fd, unsigned long cmd,
		  const void *args)
{
	bool of_zone = fd == self->zone;
	struct figures before, after;
	int ret;

	if (_try_figures(self->control, self->zone, &before))
		return HAD_EFFECT;
	ret = _try_call(fd, cmd, args);
	if (_try_figures(self->control, self->zone, &after))
		return HAD_EFFECT;
	if (!same_figures(&before, &after))
		return HAD_EFFECT;
	if (refused_calls(&after, of_zone) != refused_calls(&before, of_zone) + 1 ||
	    refused_calls(&after, !of_zone) != refused_calls(&before, !of_zone)) {
		fprintf(stderr, "# not counted as one refused call\n");
		return HAD_EFFECT;
	}
	return ret;
}

#define refused(error)							\
	ASSERT_EQ(-(error), refuse(self, self->fd, variant->cmd, self->args))

/* The arguments as they were before they were spoilt are fine. */
#define fine_unspoilt()							\
do {									\
	*self->args = self->valid;					\
	call(self->fd, variant->cmd, self->args);			\
} while (0)

TEST_F(command, first_version_still_works)
{
	size_t known = variant->size_ver0;

	ASSERT_LE(known, variant->size);
	self->args->size = known;
	memset(self->args->bytes + known, 0xa5, sizeof(*self->args) - known);
	call(self->fd, variant->cmd, self->args);
	ASSERT_TRUE(all_bytes(self->args->bytes + known,
			      sizeof(*self->args) - known, 0xa5));
}

/* Of a structure that is shorter than the newest, nothing beyond is even looked at. */
TEST_F(command, shorter_versions_before_a_hole)
{
	char *end = page_before_hole();
	size_t known;

	for (known = variant->size_ver0; known <= variant->size; known += 4) {
		*self->args = self->valid;
		self->args->size = known;
		call(self->fd, variant->cmd, memcpy(end - known, self->args, known));
		if (!variant->may_repeat)
			break;
	}
}

TEST_F(command, only_out_fields_are_written)
{
	size_t in = variant->in ? variant->in : variant->size;

	memset(self->args->bytes + variant->out, 0xa5, in - variant->out);
	memset(self->args->bytes + variant->size, 0xa5,
	       sizeof(*self->args) - variant->size);
	call(self->fd, variant->cmd, self->args);
	ASSERT_EQ(0, memcmp(self->args, &self->valid, variant->out));
	ASSERT_EQ(0, memcmp(self->args->bytes + in, self->valid.bytes + in,
			    variant->size - in));
	ASSERT_TRUE(all_bytes(self->args->bytes + variant->size,
			      sizeof(*self->args) - variant->size, 0xa5));
}

TEST_F(command, size_below_minimum)
{
	static const __u32 below[] = { 0, 1, 4, 7, 8, 15, 16 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(below) && below[i] < variant->size; i++) {
		self->args->size = below[i];
		refused(EINVAL);
	}
	self->args->size = variant->size_ver0 - 8;
	refused(EINVAL);
	self->args->size = variant->size_ver0 - 1;
	refused(EINVAL);
	fine_unspoilt();
}

TEST_F(command, longer_with_zero_tail)
{
	const __u32 longer[] = { variant->size + 1, variant->size + 8,
				 page_bytes() - 1, page_bytes() };
	size_t i, n = variant->may_repeat ? ARRAY_SIZE(longer) : 1;

	for (i = 0; i < n; i++) {
		*self->args = self->valid;
		self->args->size = longer[i];
		memset(self->args->bytes + longer[i], 0xa5, 64);
		call(self->fd, variant->cmd, self->args);
		ASSERT_TRUE(all_bytes(self->args->bytes + variant->size,
				      longer[i] - variant->size, 0));
		ASSERT_TRUE(all_bytes(self->args->bytes + longer[i], 64, 0xa5));
	}
}

TEST_F(command, longer_with_something_in_the_tail)
{
	self->args->size = variant->size + 8;
	self->args->bytes[variant->size] = 1;
	refused(E2BIG);

	self->args->bytes[variant->size] = 0;
	self->args->bytes[variant->size + 7] = 0x80;
	refused(E2BIG);

	self->args->bytes[variant->size + 7] = 0;
	self->args->size = page_bytes();
	self->args->bytes[page_bytes() - 1] = 1;
	refused(E2BIG);
	fine_unspoilt();
}

TEST_F(command, longer_than_a_page)
{
	self->args->size = page_bytes() + 1;
	refused(E2BIG);
	self->args->size = page_bytes() + 8;
	refused(E2BIG);
	self->args->size = UINT32_MAX;
	refused(E2BIG);
	fine_unspoilt();
}

TEST_F(command, unknown_flags_and_reserved_fields)
{
	size_t at;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		__u32 value = 1U << bit;

		if (!(variant->flags & value)) {
			self->args->info.flags = value;
			refused(EOPNOTSUPP);
			self->args->info.flags = value | variant->flags;
			refused(EOPNOTSUPP);
			self->args->info.flags = 0;
		}
		for (at = 0; at < variant->reserved_bytes; at += 4) {
			memcpy(self->args->bytes + variant->reserved + at, &value, 4);
			refused(EOPNOTSUPP);
			memset(self->args->bytes + variant->reserved + at, 0, 4);
		}
	}
	fine_unspoilt();
}

TEST_F(command, pointer_to_nowhere)
{
	static void *const nowhere[] = {
		NULL, (void *)8, (void *)LONG_MIN, (void *)-4096L, (void *)-8L,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++)
		ASSERT_EQ(-EFAULT, refuse(self, self->fd, variant->cmd, nowhere[i]));
	fine_unspoilt();
}

TEST_F(command, structure_reaches_into_a_hole)
{
	char *end = page_before_hole();
	char *start;

	/* Even its size cannot be read, then only the size and flags can. */
	ASSERT_EQ(-EFAULT, refuse(self, self->fd, variant->cmd, end));
	start = memcpy(end - 8, self->args, 8);
	ASSERT_EQ(-EFAULT, refuse(self, self->fd, variant->cmd, start));
	start = memcpy(end - variant->size + 8, self->args, variant->size - 8);
	ASSERT_EQ(-EFAULT, refuse(self, self->fd, variant->cmd, start));
	start = memcpy(end - variant->size, self->args, variant->size);
	call(self->fd, variant->cmd, start);
}

TEST_F(command, longer_structure_reaches_into_a_hole)
{
	char *start = (char *)page_before_hole() - variant->size;

	self->args->size += 8;
	memcpy(start, self->args, variant->size);
	ASSERT_EQ(-EFAULT, refuse(self, self->fd, variant->cmd, start));
	fine_unspoilt();
}

TEST_F(command, structure_not_aligned)
{
	char *start = (char *)malloc(2 * sizeof(*self->args)) + 1;

	memcpy(start, self->args, variant->size);
	call(self->fd, variant->cmd, start);
}

TEST_F(command, structure_in_read_only_memory)
{
	char *page = (char *)page_before_hole() - page_bytes();
	__u64 live = stat_of(self->zone).out_live_objects;

	memcpy(page, self->args, variant->size);
	ASSERT_EQ(0, mprotect(page, page_bytes(), PROT_READ));
	if (variant->out == variant->size) {
		call(self->fd, variant->cmd, page);
		return;
	}
	fail_call(EFAULT, self->fd, variant->cmd, page);
	/* What could not be told did not happen. */
	ASSERT_EQ(live, stat_of(self->zone).out_live_objects);
}

TEST_F(command, on_descriptors_of_another_kind)
{
	int pipes[2], foreign[4];
	size_t i;

	ASSERT_EQ(0, pipe(pipes));
	foreign[0] = pipes[0];
	foreign[1] = open("/dev/null", O_RDWR);
	foreign[2] = memfd_create("selftest", 0);
	foreign[3] = open("/proc/self/exe", O_RDONLY);
	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		ASSERT_LE(0, foreign[i]);
		fail_call(ENOTTY, foreign[i], variant->cmd, self->args);
	}
	/* INFO alone is for both control and zone descriptors. */
	if (variant->cmd != SHMZONE_INFO)
		ASSERT_EQ(-ENOTTY, refuse(self, self->wrong_fd, variant->cmd,
					  self->args));
	fine_unspoilt();
}

TEST_F(command, on_closed_and_path_descriptors)
{
	int fd = dup(self->fd);
	int path = open("/dev/shmzone", O_PATH);

	ASSERT_LE(0, path);
	ASSERT_EQ(0, close(fd));
	fail_call(EBADF, fd, variant->cmd, self->args);
	fail_call(EBADF, -1, variant->cmd, self->args);
	fail_call(EBADF, path, variant->cmd, self->args);
	fine_unspoilt();
}

TEST_F(command, number_with_direction_size_or_other_magic)
{
	unsigned int nr = _IOC_NR(variant->cmd);
	const unsigned long wrong[] = {
		_IOC(_IOC_READ, SHMZONE_IOC_MAGIC, nr, 0),
		_IOC(_IOC_WRITE, SHMZONE_IOC_MAGIC, nr, 0),
		_IOC(_IOC_READ | _IOC_WRITE, SHMZONE_IOC_MAGIC, nr, variant->size),
		_IOC(_IOC_NONE, SHMZONE_IOC_MAGIC, nr, variant->size),
		_IO(SHMZONE_IOC_MAGIC + 1, nr),
		_IO(SHMZONE_IOC_MAGIC - 1, nr),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_EQ(-ENOTTY, refuse(self, self->fd, wrong[i], self->args));
	fine_unspoilt();
}

TEST(unknown_numbers)
{
	__u32 args[64] = { sizeof(args) };
	int control = control_fd();
	int zone = create(control, MIB);
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		if (is_command(nr) || (nr == SHMZONE_CMD_CHECK && kernel_debugs()))
			continue;
		fail_call(ENOTTY, control, _IO(SHMZONE_IOC_MAGIC, nr), args);
		fail_call(ENOTTY, zone, _IO(SHMZONE_IOC_MAGIC, nr), args);
	}
}

TEST(device_node_is_not_for_everyone)
{
	struct stat node;

	ASSERT_EQ(0, stat("/dev/shmzone", &node));
	ASSERT_TRUE(S_ISCHR(node.st_mode));
	ASSERT_EQ(0, node.st_mode & 0007);
}

TEST_HARNESS_MAIN
