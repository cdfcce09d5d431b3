/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kselftest programs share.
 *
 * They speak the raw ABI. Each operation comes in three names:
 *
 *	_try_x(...)	does it and returns what it gives, or -errno
 *	x(...)		asserts that it succeeds
 *	fail_x(e, ...)	asserts that it fails with errno e
 *
 * The last two need kselftest_harness.h, which can be included once only in a
 * program, so they are macros here and the rest is in utils.c.
 */
#ifndef SHMZONE_SELFTESTS_UTILS_H
#define SHMZONE_SELFTESTS_UTILS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <linux/shmzone.h>

#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define TIB		(1024 * GIB)

/* A name in kernel-sized fields. */
#define NAMED(s)	.name = to_u64(s), .name_len = strlen(s)
#define SIZED(type)	.size = sizeof(struct type)

static inline __u64 to_u64(const void *pointer)
{
	return (uintptr_t)pointer;
}

size_t page_bytes(void);

/* A name nobody else uses: that of the test process and a number. */
const char *fresh_name(void);

/* Descriptors. */
int _try_control(void);
int _try_call(int fd, unsigned long cmd, const void *arg);
/* NULL, or called before each of these. */
extern void (*before_call)(int fd, unsigned long cmd);
/* Whether a command has that number; CHECK, which few kernels have, is none. */
bool is_command(unsigned int nr);
int _try_create(int control, __u64 bytes);
int _try_create_limited(int control, __u64 bytes, __u64 limit);
int _try_create_kind(int control, __u32 kind, __u64 bytes, __u64 limit);
int _try_create_named(int control, const char *name, __u32 mode);
int _try_open_zone(int control, const char *name, __u32 flags);
int _try_unlink_zone(int control, const char *name);
int _try_create_persistent(int control, const char *name, __u32 mode);
int _try_permit(int control, const char *name, __u32 which, __u32 mode, __u32 uid,
		__u32 gid);
int _try_chmod_name(int control, const char *name, __u32 mode);
int _try_list(int control, __u64 *cursor, __u32 count, struct shmzone_entry *entries);
int _try_reopen(int zone, __u32 flags);
int _try_set_limit(int zone, __u64 bytes);
int _try_add_seals(int zone, __u32 seals);
int _try_get_seals(int zone);
int _try_info(int fd, struct shmzone_info *info);

/* Objects. alloc gives how many were allocated, free how many were freed. */
int _try_alloc(int zone, __u64 bytes, __u32 count, __u64 *offsets);
int _try_alloc_in(int zone, __u32 group, __u64 bytes, __u32 count, __u64 *offsets);
int _try_alloc_wait(int zone, __u64 bytes, __u32 count, __u64 timeout_ns,
		    __u64 *offsets);
int _try_free_at(int zone, __u64 offset);
int _try_free_sized(int zone, __u64 offset, __u64 bytes);
int _try_free_all(int zone, const __u64 *offsets, __u32 count);
int _try_query(int zone, __u64 offset, struct shmzone_query *query);
int _try_stat(int zone, struct shmzone_stat *stat);
int _try_class_stat(int zone, __u32 class, __u32 group,
		    struct shmzone_class_figures *figures);

/* Mappings: the address or MAP_FAILED with errno. */
void *map_data(int zone, __u64 bytes, int prot);
void *map_pages(int zone, __u64 zone_bytes, int prot);

/*
 * All that the kernel tells of itself and a zone. same_figures() compares two
 * of them but for the refused calls, and says on stderr what differs.
 */
struct figures {
	struct shmzone_info info;
	struct shmzone_stat stat;
};

int _try_figures(int control, int zone, struct figures *figures);
bool same_figures(const struct figures *a, const struct figures *b);

/* Kernels built for debugging, whose modules know CHECK. */
bool kernel_debugs(void);

/* Whether the allocator is consistent; others than debug builds cannot tell. */
bool zone_consistent(int zone);

/* Empty slabs are held back for a while: wait until only @slabs are left. */
bool slabs_become(int zone, __u64 slabs);

/* Zones end a little after their last user: wait until only @zones are left. */
bool zones_become(int control, __u64 zones);

/* The signal that reading (or writing) a byte raises, or 0. */
int touch_read(const volatile void *address);
int touch_write(volatile void *address);

/*
 * Run a function in a child. Gives its result (0 to 255), or -signal if one
 * killed it.
 */
int in_child(int (*function)(void *arg), void *arg);
pid_t start_child(int (*function)(void *arg), void *arg);
int end_child(pid_t pid);

/* Users and groups of no importance on any system. */
#define OWNER		20001
#define MEMBER		20002
#define STRANGER	20003
#define GROUP		30001

/* Be that user from now on, in that group alone and without capabilities. */
bool become(uid_t uid, gid_t gid);

/*
 * Be root of a new user namespace, and in the other new namespaces of @flags
 * (CLONE_NEW*). It has all the users below 65536 if root makes it; else its only
 * user is root, who is the caller outside. False if the kernel has none.
 */
bool enter_user_namespace(int flags);

/*
 * Who one is: @uid, then, if @inside, root of a user and an IPC namespace that this
 * user has made, then @inner_uid in it. 0 is root.
 */
struct identity {
	uid_t uid;
	uid_t inner_uid;
	bool inside;
};

bool be(const struct identity *who);

/* The number that follows "shmzone-KEY:" of a descriptor, or UINT64_MAX. */
__u64 fdinfo_number(int zone, const char *key);
/* The text there; false if there is no such line. */
bool fdinfo_text(int zone, const char *key, char *text, size_t size);

/* A parameter of the module; false if it cannot be set. */
bool set_parameter(const char *name, unsigned long long value);
unsigned long long get_parameter(const char *name);

/* Wait until a task sleeps interruptibly, for half a minute at most. */
bool falls_asleep(pid_t task);

/* A thread that waits for an object in ALLOC: of @bytes in @zone. */
struct waiter_thread {
	int zone;
	__u64 bytes;
	pthread_t id;
	pid_t tid;
	int ret;	/* of ALLOC, */
	__u64 offset;	/* and what it gave */
};

/* Returns whether it has fallen asleep. */
bool start_waiter_thread(struct waiter_thread *waiter);

/* Content that tells objects and owners apart. */
void fill_pattern(void *memory, size_t bytes, __u64 seed);
bool has_pattern(const void *memory, size_t bytes, __u64 seed);
bool all_bytes(const void *memory, size_t bytes, unsigned char value);

/* README.md, beside the build directory in which this program is. */
FILE *open_readme(void);

/*
 * The next row of the table that begins with @heading, its headings the first:
 * how many @cells it has, which lie in @line. 0 at its end.
 */
size_t readme_row(FILE *readme, const char *heading, bool *in_table, char *line,
		  size_t size, char *cells[], size_t max);

/* Two pages, the second of which is not there; returns the end of the first. */
void *page_before_hole(void);

#define not_negative(x)							\
({									\
	long _ret = (x);						\
									\
	ASSERT_LE(0, _ret);						\
	_ret;								\
})

#define gives_errno(error, x)	ASSERT_EQ(-(error), (x))

#define control_fd()		not_negative(_try_control())
#define call(...)		not_negative(_try_call(__VA_ARGS__))
#define fail_call(e, ...)	gives_errno(e, _try_call(__VA_ARGS__))
#define create(...)		not_negative(_try_create(__VA_ARGS__))
#define fail_create(e, ...)	gives_errno(e, _try_create(__VA_ARGS__))
#define create_limited(...)	not_negative(_try_create_limited(__VA_ARGS__))
#define create_kind(...)	not_negative(_try_create_kind(__VA_ARGS__))
#define create_named(...)	not_negative(_try_create_named(__VA_ARGS__))
#define fail_create_named(e, ...) gives_errno(e, _try_create_named(__VA_ARGS__))
#define open_zone(...)		not_negative(_try_open_zone(__VA_ARGS__))
#define fail_open_zone(e, ...)	gives_errno(e, _try_open_zone(__VA_ARGS__))
#define unlink_zone(...)	not_negative(_try_unlink_zone(__VA_ARGS__))
#define fail_unlink_zone(e, ...) gives_errno(e, _try_unlink_zone(__VA_ARGS__))
#define create_persistent(...)	not_negative(_try_create_persistent(__VA_ARGS__))
#define permit(...)		not_negative(_try_permit(__VA_ARGS__))
#define fail_permit(e, ...)	gives_errno(e, _try_permit(__VA_ARGS__))
#define chmod_name(...)		not_negative(_try_chmod_name(__VA_ARGS__))
#define reopen(...)		not_negative(_try_reopen(__VA_ARGS__))
#define fail_reopen(e, ...)	gives_errno(e, _try_reopen(__VA_ARGS__))
#define set_limit(...)		not_negative(_try_set_limit(__VA_ARGS__))
#define fail_set_limit(e, ...)	gives_errno(e, _try_set_limit(__VA_ARGS__))
#define add_seals(...)		not_negative(_try_add_seals(__VA_ARGS__))
#define fail_add_seals(e, ...)	gives_errno(e, _try_add_seals(__VA_ARGS__))
#define get_seals(...)		not_negative(_try_get_seals(__VA_ARGS__))
#define info(...)		not_negative(_try_info(__VA_ARGS__))
#define alloc_objects(zone, bytes, count, offsets)			\
	ASSERT_EQ((int)(count), _try_alloc(zone, bytes, count, offsets))
#define fail_alloc(e, ...)	gives_errno(e, _try_alloc(__VA_ARGS__))
#define free_at(...)		ASSERT_EQ(1, _try_free_at(__VA_ARGS__))
#define fail_free_at(e, ...)	gives_errno(e, _try_free_at(__VA_ARGS__))
#define free_sized(...)		ASSERT_EQ(1, _try_free_sized(__VA_ARGS__))
#define fail_free_sized(e, ...)	gives_errno(e, _try_free_sized(__VA_ARGS__))
#define free_all(zone, offsets, count)					\
	ASSERT_EQ((int)(count), _try_free_all(zone, offsets, count))
#define query(...)		not_negative(_try_query(__VA_ARGS__))
#define fail_query(e, ...)	gives_errno(e, _try_query(__VA_ARGS__))
#define class_stat(...)		not_negative(_try_class_stat(__VA_ARGS__))
#define figures_of(...)		not_negative(_try_figures(__VA_ARGS__))

/* One object. */
#define alloc(zone, bytes)						\
({									\
	__u64 _offset = 0;						\
									\
	alloc_objects(zone, bytes, 1, &_offset);			\
	_offset;							\
})

#define stat_of(zone)							\
({									\
	struct shmzone_stat _stat;					\
									\
	ASSERT_EQ(0, _try_stat(zone, &_stat));				\
	_stat;								\
})

#define map_data_ok(...)						\
({									\
	void *_map = map_data(__VA_ARGS__);				\
									\
	ASSERT_TRUE(_map != MAP_FAILED);				\
	_map;								\
})

#define map_pages_ok(...)						\
({									\
	void *_map = map_pages(__VA_ARGS__);				\
									\
	ASSERT_TRUE(_map != MAP_FAILED);				\
	_map;								\
})

/*
 * A test on the debug kernel, on emulated processors that it shares with others,
 * takes its time. This ends what hangs; nothing is to come near it.
 */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	240
#endif

#endif /* SHMZONE_SELFTESTS_UTILS_H */
