// SPDX-License-Identifier: GPL-2.0
/*
 * The matrix: what a process can do to a mapping of a zone, as the table in
 * README.md says. Each action has a zone and a process of its own. Whatever it
 * gives, afterwards
 *
 *	- no mapping of the zone has a right that it must not have, nor lacks
 *	  what keeps it from growing and out of core dumps;
 *	- what the zone holds is as it was, but for what the action may write;
 *	- the page map and the figures are as they were, the allocator is
 *	  consistent and can be used; what was in caches is free;
 *	- the zone goes with its last user.
 *
 * A kind of zone is a variant and a column of the table.
 */
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "caches.h"
#include "matrix.h"

#define ZONE_BYTES	(16 * MIB)
#define OBJECT_BYTES	(64 * KIB)
#define SMALL_BYTES	20000
#define SLOT_BYTES	64
#define PAGE_MAP_BYTES	(ZONE_BYTES / page_bytes() * sizeof(__u32))
#define CACHES		2
/* In a cache while something is done to it. */
#define STOCK		8
#define ROWS_MAX	250
#define COLUMNS_MAX	8

struct table_row {
	char line[1024];
	char *cells[COLUMNS_MAX];
};

FIXTURE(matrix) {
	struct cell cell;
	size_t columns, rows, column;
	struct table_row *table;	/* its headings are row 0 */
	__u64 kept, small, slot, zones;
	struct shmzone_stat stat;
	char *pages;			/* the page map as it was */
	int control;
};

FIXTURE_VARIANT(matrix) {
	const char *column;
	bool page_map;
	bool caches;
	bool read_only;
	__u32 create_flags;
};

FIXTURE_VARIANT_ADD(matrix, data_writable) {
	.column = "data",
};

FIXTURE_VARIANT_ADD(matrix, data_read_only) {
	.column = "data, read-only",
	.read_only = true,
};

FIXTURE_VARIANT_ADD(matrix, data_strict) {
	.column = "data, strict",
	.create_flags = SHMZONE_CREATE_STRICT,
};

FIXTURE_VARIANT_ADD(matrix, page_map) {
	.column = "page map",
	.page_map = true,
};

FIXTURE_VARIANT_ADD(matrix, page_map_read_only) {
	.column = "page map, read-only",
	.page_map = true,
	.read_only = true,
};

FIXTURE_VARIANT_ADD(matrix, caches) {
	.column = "caches",
	.caches = true,
};

FIXTURE_SETUP(matrix)
{
	FILE *readme = open_readme();
	bool in_table = false;
	size_t n, i;

	ASSERT_NE(NULL, readme);
	self->table = calloc(ROWS_MAX, sizeof(*self->table));
	for (i = 0; i < ROWS_MAX; i++, self->rows++) {
		struct table_row *row = &self->table[i];

		n = readme_row(readme, "| what is done |", &in_table, row->line,
			       sizeof(row->line), row->cells, COLUMNS_MAX);
		if (!n)
			break;
		if (!i)
			self->columns = n;
		ASSERT_EQ(self->columns, n);
	}
	fclose(readme);
	ASSERT_LT(1, self->rows);
	while (self->column < self->columns &&
	       strcmp(self->table[0].cells[self->column], variant->column))
		self->column++;
	ASSERT_GT(self->columns, self->column);
	self->control = control_fd();
	self->pages = malloc(PAGE_MAP_BYTES);
}

FIXTURE_TEARDOWN(matrix)
{
	close(self->control);
	free(self->pages);
	free(self->table);
}

int _wrong(const char *what)
{
	fprintf(stderr, "# %s\n", what);
	return WRONG;
}

/* One VMA of a zone in /proc/self/smaps. */
struct vma {
	unsigned long start, end;
	unsigned long long offset;
	char flags[256];
	bool of_zone;
};

static bool flag_in(const struct vma *vma, const char *flag)
{
	return strstr(vma->flags, flag);
}

/* The next of all VMAs. Its other lines may begin like a number: "AnonHuge...". */
static bool next_vma(FILE *smaps, struct vma *vma)
{
	struct vma next = {};
	char line[512];

	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx %*s %llx", &next.start, &next.end,
			   &next.offset) == 3) {
			*vma = next;
			vma->of_zone = strstr(line, " /shmzone-") &&
				       strstr(line, "(deleted)");
		}
		if (!strncmp(line, "VmFlags:", 8)) {
			strcpy(vma->flags, line + 8);
			return true;
		}
	}
	return false;
}

bool vma_has(const void *address, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long at = (unsigned long)address;
	bool found = false;
	struct vma vma;

	while (smaps && next_vma(smaps, &vma))
		if (vma.start <= at && at < vma.end)
			found = flag_in(&vma, flag);
	if (smaps)
		fclose(smaps);
	return found;
}

/* What no action may change: w is writable now, mw whether it can become so. */
static bool rights_hold(const struct cell *c)
{
	static const char *const always[] = { " ms ", " de ", " dd " };
	static const char *const never[] = { " ex ", " me ", " wr ", " mw " };
	FILE *smaps = fopen("/proc/self/smaps", "re");
	struct vma vma;
	bool hold = smaps;
	size_t i;

	while (smaps && next_vma(smaps, &vma)) {
		bool caches = vma.offset >= SHMZONE_MMAP_CACHES;
		bool writable = caches ||
				(c->writable && vma.offset < SHMZONE_MMAP_PAGE_MAP);

		if (!vma.of_zone)
			continue;
		hold = hold && flag_in(&vma, " io ") == caches;
		for (i = 0; i < ARRAY_SIZE(always); i++)
			hold = hold && flag_in(&vma, always[i]);
		for (i = 0; i < (writable ? 2 : 4); i++)
			hold = hold && !flag_in(&vma, never[i]);
		if (!hold)
			break;
	}
	if (!hold)
		fprintf(stderr, "# a mapping with the flags%s", vma.flags);
	if (smaps)
		fclose(smaps);
	return hold;
}

/* A mapping whose address huge pages can have. */
static char *map_aligned(int fd, size_t bytes, int prot, __u64 offset)
{
	size_t space = bytes + 2 * MIB;
	char *start = mmap(NULL, space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return MAP_FAILED;
	munmap(start, space);
	start = (char *)(((uintptr_t)start + 2 * MIB - 1) & ~(2 * MIB - 1));
	return mmap(start, bytes, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, offset);
}

/* Which area, how much of it; gives where in that to act. */
static __u64 place(struct cell *c)
{
	if (c->caches) {
		c->start = SHMZONE_MMAP_CACHES;
		c->bytes = CACHES * SHMZONE_CACHE_BYTES;
		return SHMZONE_CACHE_BYTES - c->page;
	}
	if (c->page_map) {
		c->start = SHMZONE_MMAP_PAGE_MAP;
		c->bytes = PAGE_MAP_BYTES / 2;
		return c->object / c->page * sizeof(__u32) & ~(c->page - 1);
	}
	c->bytes = ZONE_BYTES / 2;
	return c->object;
}

struct attempt {
	struct cell *cell;
	const struct action *action;
};

/* In a process of its own: map, act, look. */
static int act(void *arg)
{
	const struct attempt *attempt = arg;
	struct cell *c = attempt->cell;
	__u64 in_map = place(c);
	int result;

	alarm(100);
	c->prot = c->writable ? RW : PROT_READ;
	c->map = map_aligned(c->fd, c->bytes, c->prot, c->start);
	if (c->map == MAP_FAILED)
		return 253;
	c->at = c->map + in_map;
	c->offset = c->start + in_map;
	if (touch_read(c->at))
		return 253;
	if (c->caches && cache_fill(c->zone, (void *)c->map, 0,
				    class_of(c->zone, SLOT_BYTES), STOCK) != STOCK)
		return 253;
	result = -attempt->action->act(c, attempt->action->arg);
	fflush(stderr);
	return rights_hold(c) ? result : 253;
}

static bool make_zone(FIXTURE_DATA(matrix) *self, const FIXTURE_VARIANT(matrix) *variant)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.flags = variant->create_flags,
		.zone_bytes = ZONE_BYTES,
	};
	struct cell *c = &self->cell;
	struct shmzone_info zones;
	char *data, *pages;

	_try_info(self->control, &zones);
	self->zones = zones.out_zones;
	memset(c, 0, sizeof(*c));
	c->page = page_bytes();
	c->page_map = variant->page_map;
	c->caches = variant->caches;
	c->writable = !variant->page_map && !variant->read_only;
	c->strict = variant->create_flags & SHMZONE_CREATE_STRICT;
	c->zone = _try_call(self->control, SHMZONE_CREATE, &args);
	if (_try_alloc(c->zone, OBJECT_BYTES, 1, &self->kept) != 1 ||
	    _try_alloc(c->zone, OBJECT_BYTES, 1, &c->object) != 1 ||
	    _try_alloc(c->zone, SMALL_BYTES, 1, &self->small) != 1 ||
	    _try_alloc(c->zone, SLOT_BYTES, 1, &self->slot) != 1)
		return false;
	c->fd = _try_reopen(c->zone, variant->read_only ? SHMZONE_OPEN_RDONLY : 0);
	data = map_data(c->zone, ZONE_BYTES, RW);
	pages = map_pages(c->zone, ZONE_BYTES, PROT_READ);
	if (data == MAP_FAILED || pages == MAP_FAILED)
		return false;
	fill_pattern(data + self->kept, OBJECT_BYTES, 1);
	fill_pattern(data + c->object, OBJECT_BYTES, 2);
	fill_pattern(data + self->small, SMALL_BYTES, 3);
	memcpy(self->pages, pages, PAGE_MAP_BYTES);
	munmap(data, ZONE_BYTES);
	munmap(pages, PAGE_MAP_BYTES);
	return c->fd >= 0 && !_try_stat(c->zone, &self->stat);
}

static bool object_holds(const struct cell *c, char *object)
{
	unsigned char expected[SCRIBBLE_BYTES];
	char *place = object + SCRIBBLE_AT;

	if (c->writable && !memcmp(place, SCRIBBLE, SCRIBBLE_BYTES)) {
		fill_pattern(object, SCRIBBLE_AT + SCRIBBLE_BYTES, 2);
		memcpy(expected, place, SCRIBBLE_BYTES);
	}
	return has_pattern(object, OBJECT_BYTES, 2);
}

/* The zone as it must be, whatever was done. */
static bool zone_holds(FIXTURE_DATA(matrix) *self)
{
	struct cell *c = &self->cell;
	char *data = map_data(c->zone, ZONE_BYTES, RW);
	char *pages = map_pages(c->zone, ZONE_BYTES, PROT_READ);
	struct shmzone_stat stat;
	__u64 offset;
	bool holds;
	int i;

	if (data == MAP_FAILED || pages == MAP_FAILED || _try_stat(c->zone, &stat))
		return false;
	/* Caches end with the last to use their process's memory: a moment later. */
	for (i = 0; i < 1000 && stat.out_caches; i++) {
		usleep(10000);
		_try_stat(c->zone, &stat);
	}
	holds = has_pattern(data + self->kept, OBJECT_BYTES, 1) &&
		has_pattern(data + self->small, SMALL_BYTES, 3) &&
		object_holds(c, data + c->object) &&
		!memcmp(pages, self->pages, PAGE_MAP_BYTES) &&
		stat.out_taken_bytes == self->stat.out_taken_bytes &&
		stat.out_live_objects == self->stat.out_live_objects;
	munmap(data, ZONE_BYTES);
	munmap(pages, PAGE_MAP_BYTES);
	return holds && zone_consistent(c->zone) &&
	       _try_alloc(c->zone, 100, 1, &offset) == 1 &&
	       _try_free_at(c->zone, offset) == 1 &&
	       _try_free_at(c->zone, c->object) == 1;
}

static bool is_here(unsigned int major, unsigned int minor)
{
	unsigned int here_major, here_minor;
	struct utsname name;

	if (uname(&name) ||
	    sscanf(name.release, "%u.%u", &here_major, &here_minor) != 2)
		return false;
	return here_major > major || (here_major == major && here_minor >= minor);
}

/* Kernels that have it look more closely at pages that are to be pinned. */
static bool has_memfd_secret(void)
{
	int fd = syscall(SYS_memfd_secret, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * "a; 6.12: b" is a, but b from Linux 6.12 on; "a; 6.12 with memfd_secret: b" the
 * same where there is this system call.
 */
static const char *said_here(const char *cell, char *word, size_t size)
{
	char text[64], *rest, *part;
	unsigned int major, minor;
	bool applies;
	int at;

	snprintf(text, sizeof(text), "%s", cell);
	for (part = strtok_r(text, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
		at = 0;
		applies = true;
		if (sscanf(part, " %u.%u: %n", &major, &minor, &at) == 2 && at)
			applies = is_here(major, minor);
		else if (sscanf(part, " %u.%u with memfd_secret: %n", &major, &minor, &at) == 2)
			applies = is_here(major, minor) && has_memfd_secret();
		part += at;
		if (applies)
			snprintf(word, size, "%s", part + strspn(part, " "));
	}
	return word;
}

static const char *in_words(int result)
{
	static char text[32];

	if (result < 0) {
		snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(-result));
		return text;
	}
	switch (result) {
	case 0:
		return "yes";
	case -NO:
		return "no";
	case -WRONG:
		return "wrong";
	case 253:
		return "a right too many";
	}
	return strerrorname_np(result) ? strerrorname_np(result) : "unknown";
}

/* The row that has @name among its names: "`a`, `b`". */
static struct table_row *row_of(FIXTURE_DATA(matrix) *self, const char *name)
{
	char *rest, *each, names[1024];
	size_t i;

	for (i = 1; i < self->rows; i++) {
		snprintf(names, sizeof(names), "%s", self->table[i].cells[0]);
		for (each = strtok_r(names, ",", &rest); each;
		     each = strtok_r(NULL, ",", &rest))
			if (!strcmp(each + strspn(each, " "), name))
				return &self->table[i];
	}
	return NULL;
}

/* Whether that is what happens. */
static bool holds(FIXTURE_DATA(matrix) *self, const FIXTURE_VARIANT(matrix) *variant,
		  const struct action *action)
{
	struct table_row *row = row_of(self, action->name);
	struct attempt attempt = { &self->cell, action };
	const char *said = "nothing";
	bool whole = true;
	char word[64];
	int result;
	pid_t pid;

	if (!make_zone(self, variant)) {
		fprintf(stderr, "# no zone to try it on\n");
		return false;
	}
	pid = start_child(act, &attempt);
	if (action->alone) {
		close(self->cell.zone);
		close(self->cell.fd);
		close(self->control);
	}
	result = end_child(pid);
	if (action->alone) {
		self->control = _try_control();
	} else {
		whole = zone_holds(self);
		close(self->cell.zone);
		close(self->cell.fd);
	}
	if (!whole)
		fprintf(stderr, "# %s, %s: the zone has changed\n", action->name,
			variant->column);
	whole = zones_become(self->control, self->zones) && whole;
	if (result == -ABSENT) {
		printf("# %s, %s: not to be had here\n", action->name, variant->column);
		return whole && row;
	}
	if (row)
		said = said_here(row->cells[self->column], word, sizeof(word));
	if (!strcmp(said, in_words(result)))
		return whole;
	fprintf(stderr, "# %s, %s: README says %s, but it is %s\n", action->name,
		variant->column, said, in_words(result));
	return false;
}

#define all_hold(actions)						\
do {									\
	const struct action *_action;					\
									\
	for (_action = (actions); _action->name; _action++)		\
		EXPECT_TRUE(holds(self, variant, _action));		\
} while (0)

TEST_F(matrix, placing)
{
	all_hold(placing);
}

TEST_F(matrix, memory)
{
	all_hold(memory);
}

TEST_F(matrix, advice)
{
	all_hold(advice);
}

TEST_F(matrix, access_by_others)
{
	all_hold(access_by_others);
}

TEST_F(matrix, processes)
{
	all_hold(processes);
}

TEST_F(matrix, descriptor)
{
	all_hold(descriptor);
}

static const struct action *const groups[] = {
	placing, memory, advice, access_by_others, processes, descriptor,
};

static int times_tried(const char *name)
{
	const struct action *action;
	int times = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		for (action = groups[i]; action->name; action++)
			times += !strcmp(action->name, name);
	if (times != 1)
		fprintf(stderr, "# %s: tried %d times\n", name, times);
	return times;
}

TEST_F(matrix, readme_says_nothing_that_is_not_tried)
{
	char *rest, *name;
	size_t i;

	for (i = 1; i < self->rows; i++)
		for (name = strtok_r(self->table[i].cells[0], ",", &rest); name;
		     name = strtok_r(NULL, ",", &rest)) {
			name += strspn(name, " ");
			EXPECT_EQ(1, times_tried(name));
		}
}

TEST_HARNESS_MAIN
