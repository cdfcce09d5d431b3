// SPDX-License-Identifier: GPL-2.0
/*
 * Who may do what: the table in README.md, cell by cell, as it stands there; that no
 * command is missing from it; and what else there is to say of descriptors with fewer
 * rights.
 */
#include <fcntl.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "utils.h"

#define RW		(PROT_READ | PROT_WRITE)
#define MODE		0640
/* What is no error and yet not a success. */
#define NOT_SEEN	1

/* The zone an action is tried on. */
struct target {
	const char *name;
	__u64 object;
	int control;
	int fd;		/* a descriptor of it, if it takes one */
	int writer;	/* one that is open for writing, for what must be there before */
};

static int open_read_write(const struct target *t)
{
	return _try_open_zone(t->control, t->name, 0);
}

static int open_read_only(const struct target *t)
{
	return _try_open_zone(t->control, t->name, SHMZONE_OPEN_RDONLY);
}

static int create_it(const struct target *t)
{
	return _try_create_named(t->control, t->name, 0600);
}

static int create_exclusively(const struct target *t)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_EXCL,
		.zone_bytes = MIB,
		NAMED(t->name),
	};

	return _try_call(t->control, SHMZONE_CREATE, &args);
}

static int see_in_list(const struct target *t)
{
	struct shmzone_entry entry;
	__u64 cursor = 0;
	int ret;

	do {
		ret = _try_list(t->control, &cursor, 1, &entry);
		if (ret < 0)
			return ret;
		if (ret && !strcmp((char *)entry.name, t->name))
			return 0;
	} while (cursor);
	return NOT_SEEN;
}

static int change_it(const struct target *t)
{
	return _try_permit(t->control, t->name,
			   SHMZONE_PERMIT_MODE | SHMZONE_PERMIT_UID |
			   SHMZONE_PERMIT_GID, 0644, MEMBER, GROUP);
}

static int unlink_it(const struct target *t)
{
	return _try_unlink_zone(t->control, t->name);
}

static int map_as(int fd, int prot)
{
	return map_data(fd, MIB, prot) == MAP_FAILED ? -errno : 0;
}

static int map_to_read(const struct target *t)
{
	return map_as(t->fd, PROT_READ);
}

static int map_to_write(const struct target *t)
{
	return map_as(t->fd, RW);
}

static int widen_mapping(const struct target *t)
{
	void *data = map_data(t->fd, MIB, PROT_READ);

	if (data == MAP_FAILED)
		return -EUCLEAN;
	return mprotect(data, MIB, RW) ? -errno : 0;
}

static int map_page_map(const struct target *t)
{
	return map_pages(t->fd, MIB, PROT_READ) == MAP_FAILED ? -errno : 0;
}

static int map_caches_of(const struct target *t)
{
	return _try_map_caches(t->fd, 1);
}

static int refill_and_drain(const struct target *t)
{
	__u32 class = class_of(t->writer, 64);
	int refilled, drained;

	if (_try_map_caches(t->writer, 1))
		return -EUCLEAN;
	refilled = _try_refill(t->fd, 0, class, 0, NULL);
	drained = _try_drain(t->fd, 0, class, 0, NULL);
	return refilled == drained ? drained : -EUCLEAN;
}

static int take_stock_back(const struct target *t)
{
	return _try_reclaim(t->fd, NULL);
}

static int ask_for_clients(const struct target *t)
{
	int ret;

	if (_try_map_caches(t->writer, 1))
		return -EUCLEAN;
	ret = _try_client(t->fd);
	return ret < 0 ? ret : _try_sync(t->fd, 1ULL << 60, 1);
}

static int allocate(const struct target *t)
{
	__u64 offset;

	return _try_alloc(t->fd, 100, 1, &offset);
}

static int wait_and_allocate(const struct target *t)
{
	__u64 offset;

	return _try_alloc_wait(t->fd, 100, 1, 1000000, &offset);
}

static int wait_for_room(const struct target *t)
{
	struct pollfd poller = { .fd = t->fd, .events = POLLOUT };

	return poll(&poller, 1, 0) == 1 ? 0 : NOT_SEEN;
}

static int free_object(const struct target *t)
{
	return _try_free_at(t->fd, t->object);
}

static int ask(const struct target *t)
{
	struct shmzone_class_figures figures;
	struct shmzone_query query;
	struct shmzone_info info;
	struct shmzone_stat stat;
	int ret = _try_query(t->fd, t->object, &query);

	ret = ret ? ret : _try_stat(t->fd, &stat);
	ret = ret ? ret : _try_class_stat(t->fd, 1, 0, &figures);
	return ret ? ret : _try_info(t->fd, &info);
}

static int walk(const struct target *t)
{
	struct shmzone_object object;
	struct shmzone_walk args = {
		SIZED(shmzone_walk),
		.objects = to_u64(&object),
		.count = 1,
		.object_size = sizeof(object),
	};
	int ret = _try_call(t->fd, SHMZONE_WALK, &args);

	return ret ? ret : object.offset == t->object ? 0 : -EUCLEAN;
}

/* Of a zone with owners, one's own objects. */
static int hand_over(const struct target *t)
{
	__u64 own[2];
	int linked, offered, given, taken;

	if (_try_map_caches(t->writer, 1) || _try_alloc(t->writer, 100, 2, own) != 2)
		return -EUCLEAN;
	linked = _try_handover(t->fd, SHMZONE_LINK, own[1], own[0]);
	if (!linked)
		linked = _try_handover(t->fd, SHMZONE_LINK, own[1], 0);
	offered = _try_handover(t->fd, SHMZONE_OFFER, own[0], 0);
	given = _try_handover(t->fd, SHMZONE_GIVE, own[1], 0);
	taken = _try_handover(t->fd, SHMZONE_TAKE, own[1], 0);
	return linked == offered && offered == given && given == taken ? taken : -EUCLEAN;
}

static int look_up_roots(const struct target *t)
{
	struct shmzone_root root;
	struct shmzone_root_get get = { SIZED(shmzone_root_get), NAMED("root") };
	struct shmzone_root_list list = {
		SIZED(shmzone_root_list),
		.roots = to_u64(&root),
		.count = 1,
		.root_size = sizeof(root),
	};
	int ret = _try_call(t->fd, SHMZONE_ROOT_GET, &get);

	return ret ? ret : _try_call(t->fd, SHMZONE_ROOT_LIST, &list);
}

static int set_root(const struct target *t)
{
	struct shmzone_root_set args = {
		SIZED(shmzone_root_set), NAMED("root"), .offset = t->object,
	};

	return _try_call(t->fd, SHMZONE_ROOT_SET, &args);
}

static int reopen_read_write(const struct target *t)
{
	return _try_reopen(t->fd, 0);
}

static int reopen_read_only(const struct target *t)
{
	return _try_reopen(t->fd, SHMZONE_OPEN_RDONLY);
}

static int change_limit(const struct target *t)
{
	return _try_set_limit(t->fd, 64 * KIB);
}

static int seal(const struct target *t)
{
	return _try_add_seals(t->fd, SHMZONE_SEAL_ALLOC);
}

static int ask_seals(const struct target *t)
{
	return _try_get_seals(t->fd);
}

/* The rows, as README.md calls them. */
static const struct action {
	const char *name;
	int (*act)(const struct target *target);
	bool may_be_unseen;
	__u32 kind;	/* of the zone */
} actions[] = {
	{ "open by name, read-write", open_read_write },
	{ "open by name, read-only", open_read_only },
	{ "create under that name", create_it },
	{ "create exclusively", create_exclusively },
	{ "see the name in a list", see_in_list, true },
	{ "change owner, group, mode", change_it },
	{ "take the name away", unlink_it },
	{ "map for reading", map_to_read },
	{ "map for writing", map_to_write },
	{ "make a mapping writable", widen_mapping },
	{ "map the page map", map_page_map },
	{ "map caches", map_caches_of },
	{ "refill and drain caches", refill_and_drain },
	{ "take back what is in caches", take_stock_back },
	{ "ask for one's number as a client, wait for a client's end", ask_for_clients },
	{ "allocate", allocate },
	{ "allocate, waiting", wait_and_allocate },
	{ "be told of room by poll", wait_for_room, true },
	{ "free", free_object },
	{ "query, ask for figures", ask },
	{ "walk over all objects", walk },
	{ "give, offer, take, link objects", hand_over, .kind = SHMZONE_CREATE_OWNED },
	{ "look roots up", look_up_roots },
	{ "set a root", set_root },
	{ "reopen read-write", reopen_read_write },
	{ "reopen read-only", reopen_read_only },
	{ "change the limit", change_limit },
	{ "add seals", seal },
	{ "read seals", ask_seals },
};

/* The columns: who one is then, and with which descriptor. */
static const struct column {
	const char *name;
	uid_t uid;
	gid_t gid;
	bool elsewhere;
	bool read_only;
} columns[] = {
	{ "owner", OWNER, STRANGER, false, false },
	{ "group", MEMBER, GROUP, false, false },
	{ "others", STRANGER, STRANGER, false, false },
	{ "root", 0, 0, false, false },
	{ "other namespace", 0, 0, true, false },
	{ "read-only descriptor", OWNER, GROUP, false, true },
};

#define COLUMNS		ARRAY_SIZE(columns)

FIXTURE(rights) {
	struct target target;
	FILE *readme;
};

/* By number: commands that were tried in cells, in memory that children share. */
static bool *tried;
/* For what must be there before. */
static int not_tried_on;

static void note_call(int fd, unsigned long cmd)
{
	if (fd != not_tried_on)
		tried[_IOC_NR(cmd)] = true;
}

FIXTURE_VARIANT(rights) {
	bool inside;	/* of a user and an IPC namespace made by root */
};

FIXTURE_VARIANT_ADD(rights, outside) {
	.inside = false,
};

FIXTURE_VARIANT_ADD(rights, inside) {
	.inside = true,
};

FIXTURE_SETUP(rights)
{
	self->readme = open_readme();
	ASSERT_NE(NULL, self->readme);
	self->target.control = control_fd();
	self->target.name = fresh_name();
	if (variant->inside && !enter_user_namespace(CLONE_NEWIPC))
		SKIP(return, "no user namespaces");
}

FIXTURE_TEARDOWN(rights)
{
	close(self->target.control);
	fclose(self->readme);
}

struct cell {
	struct target *target;
	const struct action *action;
	const struct column *column;
};

static int create_as_owner(void *arg)
{
	const struct cell *cell = arg;
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = SHMZONE_CREATE_PERSIST | cell->action->kind,
		.zone_bytes = MIB,
		NAMED(cell->target->name),
		.mode = MODE,
	};

	if (!become(OWNER, GROUP))
		return 255;
	return _try_call(cell->target->control, SHMZONE_CREATE, &args) < 0;
}

/* A new zone of OWNER and GROUP with an object that is nobody's; its name holds it. */
static bool make_target(struct cell *cell)
{
	struct target *t = cell->target;

	if (in_child(create_as_owner, cell))
		return false;
	t->writer = _try_open_zone(t->control, t->name, 0);
	if (!cell->action->kind && _try_alloc(t->writer, 100, 1, &t->object) != 1)
		return false;
	t->fd = _try_reopen(t->writer, cell->column->read_only ? SHMZONE_OPEN_RDONLY : 0);
	return t->fd >= 0;
}

static void end_target(const struct target *t)
{
	_try_unlink_zone(t->control, t->name);
	close(t->fd);
	close(t->writer);
}

static int act_as(void *arg)
{
	const struct cell *cell = arg;
	const struct column *c = cell->column;
	int ret;

	if (c->elsewhere && unshare(CLONE_NEWIPC))
		return 255;
	if (c->uid && !become(c->uid, c->gid))
		return 255;
	not_tried_on = cell->target->writer;
	before_call = note_call;
	ret = cell->action->act(cell->target);
	if (ret < 0)
		return -ret;
	return ret == NOT_SEEN && cell->action->may_be_unseen ? 254 : 0;
}

static const char *in_words(int result)
{
	static const struct {
		int result;
		const char *words;
	} known[] = {
		{ 0, "yes" },
		{ 254, "no" },
		{ EACCES, "EACCES" },
		{ EPERM, "EPERM" },
		{ ENOENT, "ENOENT" },
		{ EEXIST, "EEXIST" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].result == result)
			return known[i].words;
	return strerror(result);
}

/* Whether that is what happens; a dash says that it does not apply. */
static bool holds(FIXTURE_DATA(rights) *self, const struct action *action,
		  const struct column *column, const char *said)
{
	struct cell cell = { &self->target, action, column };
	const char *result;

	if (!strcmp(said, "-"))
		return column->read_only;
	if (!make_target(&cell)) {
		fprintf(stderr, "# no zone to try it on\n");
		return false;
	}
	result = in_words(in_child(act_as, &cell));
	end_target(&self->target);
	if (!strcmp(said, result))
		return true;
	fprintf(stderr, "# %s, %s: README says %s, but it is %s\n", action->name,
		column->name, said, result);
	return false;
}

/* Commands are in the table, and all else is not. */
static bool agrees_on(unsigned int nr)
{
	if (tried[nr] == is_command(nr))
		return true;
	fprintf(stderr, "# command %#x is missing from the table, or none\n", nr);
	return false;
}

/* The next row of the table. */
#define next_row()		\
	readme_row(self->readme, "| action |", &in_table, line, sizeof(line), cells, COLUMNS + 2)

TEST_F(rights, table_in_the_readme)
{
	char line[1024], *cells[COLUMNS + 2];
	bool in_table = false;
	size_t row, i;

	tried = mmap(NULL, 256, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, tried);
	ASSERT_EQ(COLUMNS + 1, next_row());
	for (i = 0; i < COLUMNS; i++)
		ASSERT_STREQ(columns[i].name, cells[i + 1]);
	for (row = 0; row < ARRAY_SIZE(actions); row++) {
		ASSERT_EQ(COLUMNS + 1, next_row());
		ASSERT_STREQ(actions[row].name, cells[0]);
		for (i = 0; i < COLUMNS; i++)
			EXPECT_TRUE(holds(self, &actions[row], &columns[i], cells[i + 1]));
	}
	/* It says nothing that was not tried, and of all commands something. */
	ASSERT_EQ(0, next_row());
	for (i = 0; i < 256; i++)
		EXPECT_TRUE(agrees_on(i));
}

TEST_F(rights, reopened_for_a_consumer)
{
	int zone = create(self->target.control, MIB);
	__u64 object = alloc(zone, 100);
	int reader = reopen(zone, SHMZONE_OPEN_RDONLY);
	int again = reopen(reader, SHMZONE_OPEN_RDONLY);

	ASSERT_EQ(O_RDONLY, fcntl(reader, F_GETFL) & O_ACCMODE);
	ASSERT_EQ(FD_CLOEXEC, fcntl(reader, F_GETFD));
	ASSERT_EQ(O_RDWR, fcntl(reopen(zone, 0), F_GETFL) & O_ACCMODE);
	fail_reopen(EACCES, reader, 0);
	fail_reopen(EACCES, again, 0);
	fail_free_at(EACCES, again, object);
	close(zone);
	close(reader);
	/* It is one of the zone's users. */
	ASSERT_EQ(1, stat_of(again).out_live_objects);
}

TEST_F(rights, no_way_from_reading_to_writing)
{
	int zone = create(self->target.control, MIB);
	int reader = reopen(zone, SHMZONE_OPEN_RDONLY);
	char *data = map_data_ok(reader, MIB, PROT_READ);
	char path[64];

	ASSERT_EQ(-1, mprotect(data, MIB, RW));
	ASSERT_EQ(EACCES, errno);
	ASSERT_EQ(-1, mprotect(data, MIB, PROT_READ | PROT_EXEC));
	ASSERT_EQ(MAP_FAILED, mmap(NULL, MIB, PROT_READ, MAP_PRIVATE, reader, 0));
	ASSERT_EQ(EINVAL, errno);
	fcntl(reader, F_SETFL, O_RDWR);
	ASSERT_EQ(O_RDONLY, fcntl(reader, F_GETFL) & O_ACCMODE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", reader);
	ASSERT_EQ(-1, open(path, O_RDWR));
	ASSERT_EQ(-1, write(reader, "x", 1));
	ASSERT_EQ(-1, ftruncate(reader, 0));
}

TEST_HARNESS_MAIN
