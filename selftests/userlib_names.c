// SPDX-License-Identifier: GPL-2.0
/*
 * The library, continued: names, rights, limits and seals; and the tool, which
 * does the same from the command line.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "userlib.h"

#define ZONE_BYTES	(4 * MIB)

FIXTURE(lib) {
	const char *name;
	struct shmz *zone;
};

FIXTURE_SETUP(lib)
{
	struct shmz_options opts = { sizeof(opts), MIB, 0640, SHMZ_PERSIST };

	if (unshare(CLONE_NEWIPC))
		SKIP(return, "no IPC namespaces");
	self->name = "library";
	self->zone = shmz_create(self->name, ZONE_BYTES, &opts);
	ASSERT_NE(NULL, self->zone);
}

FIXTURE_TEARDOWN(lib)
{
	shmz_unlink(self->name);
	shmz_close(self->zone);
}

static __u64 limit_of(const struct shmz *zone)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };

	return shmz_stat(zone, &stat) ? 0 : stat.out_limit_bytes;
}

TEST_F(lib, persists)
{
	uint64_t offset = shmz_offset(self->zone, shmz_alloc(self->zone, 100));

	strcpy(shmz_pointer(self->zone, offset), "still here");
	shmz_close(self->zone);
	self->zone = shmz_open(self->name, 0);
	ASSERT_NE(NULL, self->zone);
	ASSERT_STREQ("still here", (char *)shmz_pointer(self->zone, offset));
	ASSERT_EQ(0, shmz_free(self->zone, shmz_pointer(self->zone, offset)));
}

TEST_F(lib, persist_needs_a_name)
{
	struct shmz_options opts = { sizeof(opts), 0, 0, SHMZ_PERSIST };

	is_null(EINVAL, shmz_create(NULL, ZONE_BYTES, &opts));
	opts.flags = 1U << 31;
	is_null(EOPNOTSUPP, shmz_create("never", ZONE_BYTES, &opts));
}

TEST_F(lib, list)
{
	struct shmz *other = shmz_create("other", ZONE_BYTES, NULL);
	struct shmzone_entry entries[4];
	uint64_t cursor = 0;

	ASSERT_EQ(1, shmz_list(entries, sizeof(entries[0]), 1, &cursor));
	ASSERT_STREQ(self->name, (char *)entries[0].name);
	ASSERT_EQ(0640, entries[0].mode);
	ASSERT_EQ(SHMZONE_ENTRY_PERSIST, entries[0].flags);
	ASSERT_NE(0, cursor);
	ASSERT_EQ(1, shmz_list(entries, sizeof(entries[0]), 4, &cursor));
	ASSERT_STREQ("other", (char *)entries[0].name);
	ASSERT_EQ(0, cursor);
	ASSERT_EQ(2, shmz_list(entries, sizeof(entries[0]), 4, &cursor));
	is_error(EINVAL, shmz_list(entries, sizeof(entries[0]), 0, &cursor));
	is_error(EINVAL, shmz_list(entries, 8, 4, &cursor));
	is_error(E2BIG, shmz_list(entries, SIZE_MAX, 4, &cursor));
	is_error(EFAULT, shmz_list(NULL, sizeof(entries[0]), 4, &cursor));
	shmz_close(other);
}

TEST_F(lib, chmod_and_chown)
{
	struct shmzone_entry entry;
	uint64_t cursor = 0;

	ASSERT_EQ(0, shmz_chmod(self->name, 0604));
	ASSERT_EQ(0, shmz_chown(self->name, OWNER, -1));
	ASSERT_EQ(0, shmz_chown(self->name, -1, GROUP));
	ASSERT_EQ(1, shmz_list(&entry, sizeof(entry), 1, &cursor));
	ASSERT_EQ(0604, entry.mode);
	ASSERT_EQ(OWNER, entry.uid);
	ASSERT_EQ(GROUP, entry.gid);
	is_error(EINVAL, shmz_chmod(self->name, 0700));
	is_error(EINVAL, shmz_chown(self->name, -1, -1));
	is_error(EINVAL, shmz_chmod(NULL, 0600));
	is_error(ENOENT, shmz_chmod("nobody", 0600));
	is_error(ENOENT, shmz_chown("nobody", 0, 0));
}

static int change_as_stranger(void *arg)
{
	FIXTURE_DATA(lib) *self = arg;

	/* The node is not for everyone; for this test it is. */
	if (chmod("/dev/shmzone", 0666) || !become(STRANGER, STRANGER))
		return 255;
	if (shmz_chmod(self->name, 0666) != -EPERM)
		return 1;
	if (shmz_chown(self->name, STRANGER, -1) != -EPERM)
		return 2;
	return shmz_open(self->name, 0) || errno != EACCES ? 3 : 0;
}

TEST_F(lib, changes_by_a_stranger)
{
	int ret = in_child(change_as_stranger, self);

	ASSERT_EQ(0, chmod("/dev/shmzone", 0660));
	ASSERT_EQ(0, ret);
}

TEST_F(lib, reopen)
{
	int reader = shmz_reopen(self->zone, SHMZ_RDONLY);
	struct shmz *zone = shmz_adopt(reader);

	ASSERT_NE(NULL, zone);
	is_null(EACCES, shmz_alloc(zone, 100));
	is_error(EACCES, shmz_reopen(zone, 0));
	is_error(EACCES, shmz_set_limit(zone, MIB));
	is_error(EACCES, shmz_add_seals(zone, SHMZONE_SEAL_ALLOC));
	is_error(EOPNOTSUPP, shmz_reopen(self->zone, 2));
	ASSERT_EQ(0, shmz_get_seals(zone));
	shmz_close(zone);
	zone = shmz_adopt(shmz_reopen(self->zone, 0));
	ASSERT_NE(NULL, shmz_alloc(zone, 100));
	shmz_close(zone);
}

TEST_F(lib, set_limit)
{
	ASSERT_EQ(0, shmz_set_limit(self->zone, 2 * MIB - 1));
	ASSERT_EQ(2 * MIB, limit_of(self->zone));
	ASSERT_NE(NULL, shmz_alloc(self->zone, MIB + MIB / 2));
	ASSERT_EQ(0, shmz_set_limit(self->zone, 1));
	ASSERT_EQ(page_bytes(), limit_of(self->zone));
	is_null(ENOMEM, shmz_alloc(self->zone, MIB));
	ASSERT_EQ(0, shmz_set_limit(self->zone, 0));
	ASSERT_EQ(ZONE_BYTES, limit_of(self->zone));
	is_error(EINVAL, shmz_set_limit(self->zone, ZONE_BYTES + 1));
	is_error(EINVAL, shmz_set_limit(self->zone, UINT64_MAX));
}

TEST_F(lib, seals)
{
	void *object = shmz_alloc(self->zone, 100);
	struct shmz *other;

	is_error(EOPNOTSUPP, shmz_add_seals(self->zone, 1U << 31));
	ASSERT_EQ(0, shmz_add_seals(self->zone, SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT));
	is_null(EPERM, shmz_alloc(self->zone, 100));
	is_null(EPERM, shmz_zalloc(self->zone, 100));
	is_null(EPERM, shmz_realloc(self->zone, object, 5000));
	is_error(EPERM, shmz_set_limit(self->zone, MIB));
	ASSERT_EQ(0, shmz_add_seals(self->zone, SHMZONE_SEAL_WRITE | SHMZONE_SEAL_SEAL));
	is_error(EPERM, shmz_add_seals(self->zone, 0));
	ASSERT_EQ(SHMZONE_SEAL_ALLOC | SHMZONE_SEAL_LIMIT | SHMZONE_SEAL_WRITE |
		  SHMZONE_SEAL_SEAL, shmz_get_seals(self->zone));
	/* This handle's mapping is from before. */
	memset(object, 1, 100);
	is_null(EPERM, shmz_open(self->name, 0));
	is_null(EPERM, shmz_create(self->name, ZONE_BYTES, NULL));
	other = shmz_open(self->name, SHMZ_MAP_RDONLY);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(SIGSEGV, touch_write(shmz_base(other)));
	ASSERT_EQ(0, shmz_free(other, shmz_pointer(other, shmz_offset(self->zone, object))));
	shmz_close(other);
	other = shmz_open(self->name, SHMZ_RDONLY);
	ASSERT_NE(NULL, other);
	shmz_close(other);
}

static __u32 kind_of(const struct shmz *zone)
{
	struct shmzone_stat stat = { .size = sizeof(stat) };

	return shmz_stat(zone, &stat) ? UINT32_MAX : stat.out_kind;
}

TEST_F(lib, committed_zones)
{
	struct shmz_options opts = { sizeof(opts), MIB, 0, SHMZ_COMMITTED };
	struct shmzone_stat stat = { .size = sizeof(stat) };
	struct shmz *zone = shmz_create(NULL, ZONE_BYTES, &opts);

	ASSERT_NE(NULL, zone);
	ASSERT_EQ(SHMZONE_CREATE_COMMITTED, kind_of(zone));
	ASSERT_NE(NULL, shmz_alloc(zone, 100 * KIB));
	ASSERT_EQ(0, shmz_stat(zone, &stat));
	ASSERT_EQ(100 * KIB, stat.out_resident_bytes);
	is_null(ENOMEM, shmz_alloc(zone, MIB));
	shmz_close(zone);
}

TEST_F(lib, strict_zones)
{
	struct shmz_options opts = { sizeof(opts), MIB, 0, SHMZ_STRICT };
	struct shmz *zone = shmz_create(NULL, ZONE_BYTES, &opts);
	char *object;

	ASSERT_NE(NULL, zone);
	ASSERT_EQ(SHMZONE_CREATE_STRICT, kind_of(zone));
	object = shmz_alloc(zone, 100 * KIB);
	ASSERT_EQ(0, touch_write(object));
	ASSERT_EQ(SIGBUS, touch_read(shmz_base(zone)));
	ASSERT_EQ(SIGBUS, touch_read(object + 100 * KIB));
	ASSERT_EQ(0, shmz_free(zone, object));
	ASSERT_EQ(SIGBUS, touch_read(object));
	shmz_close(zone);
}

/* The tool, as it was built. */
static int run_tool(void *arg)
{
	char program[PATH_MAX], path[PATH_MAX], *copy = strdup(arg), *words[10];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	int i = 0, null = open("/dev/null", O_WRONLY);

	if (n < 0)
		return 255;
	program[n] = '\0';
	snprintf(path, sizeof(path), "%s/../userlib/shmzone", dirname(program));
	words[0] = "shmzone";
	for (char *word = strtok(copy, " "); word && i < 8; word = strtok(NULL, " "))
		words[++i] = word;
	words[i + 1] = NULL;
	dup2(null, 2);
	execv(path, words);
	return 255;
}

#define tool(result, command)						\
	ASSERT_EQ(result, in_child(run_tool, (char *)(command)))

TEST_F(lib, tool_changes_what_it_says)
{
	struct shmzone_entry entry;
	uint64_t cursor;

	tool(0, "create -l 64K -m 0620 mine 3M");
	tool(1, "create mine 1M");
	tool(0, "chmod 0606 mine");
	tool(0, "chown 5:7 mine");
	tool(0, "chown :8 mine");
	cursor = 0;
	ASSERT_EQ(1, shmz_list(&entry, sizeof(entry), 1, &cursor));
	ASSERT_EQ(1, shmz_list(&entry, sizeof(entry), 1, &cursor));
	ASSERT_STREQ("mine", (char *)entry.name);
	ASSERT_EQ(3 * MIB, entry.zone_bytes);
	ASSERT_EQ(0606, entry.mode);
	ASSERT_EQ(5, entry.uid);
	ASSERT_EQ(8, entry.gid);
	tool(0, "list");
	tool(0, "unlink mine");
	tool(1, "unlink mine");
}

/* Whether the tool made a zone of that kind, as LIST and STAT have it. */
static bool is_made(const char *name, __u32 kind)
{
	__u32 flags = (kind & SHMZONE_CREATE_COMMITTED ? SHMZONE_ENTRY_COMMITTED : 0) |
		      (kind & SHMZONE_CREATE_STRICT ? SHMZONE_ENTRY_STRICT : 0) |
		      (kind & SHMZONE_CREATE_OWNED ? SHMZONE_ENTRY_OWNED : 0) |
		      (kind & SHMZONE_CREATE_CHECKED ? SHMZONE_ENTRY_CHECKED : 0);
	struct shmz *zone = shmz_open(name, 0);
	struct shmzone_entry entry;
	uint64_t cursor = 0;
	bool made = zone && kind_of(zone) == kind, listed = false;

	while (shmz_list(&entry, sizeof(entry), 1, &cursor) == 1 && !listed)
		listed = !strcmp((char *)entry.name, name) &&
			 (entry.flags & (SHMZONE_ENTRY_COMMITTED | SHMZONE_ENTRY_STRICT |
					 SHMZONE_ENTRY_OWNED |
					 SHMZONE_ENTRY_CHECKED)) == flags;
	if (zone)
		shmz_close(zone);
	return made && listed && !shmz_unlink(name);
}

TEST_F(lib, tool_creates_all_kinds)
{
	tool(0, "create plain 1M");
	tool(0, "create -c committed 1M");
	tool(0, "create --strict strict 1M");
	tool(0, "create -s --committed -l 64K both 1M");
	tool(0, "create -o owned 1M");
	tool(0, "walk owned");
	tool(0, "create -k checked 1M");
	ASSERT_TRUE(is_made("plain", 0));
	ASSERT_TRUE(is_made("owned", SHMZONE_CREATE_OWNED));
	ASSERT_TRUE(is_made("checked", SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED));
	ASSERT_TRUE(is_made("committed", SHMZONE_CREATE_COMMITTED));
	ASSERT_TRUE(is_made("strict", SHMZONE_CREATE_STRICT));
	ASSERT_TRUE(is_made("both", SHMZONE_CREATE_COMMITTED | SHMZONE_CREATE_STRICT));
}

TEST_F(lib, tool_limits_and_seals)
{
	tool(0, "limit 2M library");
	ASSERT_EQ(2 * MIB, limit_of(self->zone));
	tool(1, "limit 1G library");
	tool(0, "seal write library");
	tool(0, "limit 0 library");
	ASSERT_EQ(ZONE_BYTES, limit_of(self->zone));
	tool(0, "seal limit,seal library");
	ASSERT_EQ(SHMZONE_SEAL_WRITE | SHMZONE_SEAL_LIMIT | SHMZONE_SEAL_SEAL,
		  shmz_get_seals(self->zone));
	tool(1, "seal alloc library");
	tool(1, "limit 1M library");
}

TEST_F(lib, tool_usage)
{
	static const char *const wrong[] = {
		"list x", "create x", "create x 1Q", "create x -1", "create -m 700 x 1M",
		"create -m 9 x 1M", "create -x x 1M",
		"list -s", "create x 99999999999T", "chmod 0600", "chmod x y",
		"chown x library", "chown 5:x library", "chown 4294967295 library",
		"limit library", "limit x library", "seal x library",
		"seal alloc,x library", "seal , library",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		tool(2, wrong[i]);
}

TEST_HARNESS_MAIN
