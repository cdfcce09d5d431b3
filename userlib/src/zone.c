// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The life of a handle: create, open, adopt, close.
 *
 * All three ways in end in zone_map(), which needs nothing but a descriptor: it
 * asks the kernel what the zone is like and maps its data, its page map and, if
 * it may be written to, this process's caches of it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache.h"

/* The first version of struct shmz_options ended with flags. */
#define OPTIONS_SIZE_VER0	24

#define OPTIONS_FLAGS	(SHMZ_EXCL | SHMZ_PERSIST | SHMZ_COMMITTED | SHMZ_STRICT | \
			 SHMZ_OWNED | SHMZ_CHECKED | SHMZ_UNCACHED)

/* Bytes of a cache line, or a multiple. */
#define LINE	64

_Static_assert(sizeof(struct shmz_options) == OPTIONS_SIZE_VER0,
	       "options may grow, but their first size stays acceptable");

static size_t page_map_bytes(const struct shmz *z)
{
	return (z->bytes >> z->page_shift) * sizeof(z->page_map[0]);
}

/* Only zones know STAT, so this is also what tells a foreign descriptor. */
static int ask_size(struct shmz *z, uint64_t *id)
{
	struct shmzone_stat st = { .size = sizeof(st) };
	int ret = lib_ioctl(z->fd, SHMZONE_STAT, &st);

	if (!ret && !st.out_zone_bytes)
		ret = -EINVAL;
	z->bytes = st.out_zone_bytes;
	/* In owned zones there is no free without a look at the page map. */
	z->sized_bytes = st.out_kind & SHMZONE_CREATE_OWNED ? 0 : z->bytes;
	z->checked = st.out_kind & SHMZONE_CREATE_CHECKED;
	*id = st.out_id;
	return ret;
}

/* The smallest class for objects of @bytes, as the kernel chooses it. */
static uint32_t smallest_class(const struct shmz *z, uint32_t last, size_t bytes)
{
	uint32_t class = 1;

	while (class <= last && z->class[class].slot_bytes < bytes)
		class++;
	return class <= last ? class : SHMZONE_CLASS_SPAN;
}

static void index_classes(struct shmz *z, uint32_t last)
{
	size_t n;

	for (n = 0; n < SMALL_STEPS; n++)
		z->small[n] = SHMZONE_CACHE_BIN_WORD +
			      smallest_class(z, last, (n + 1) * SMALL_STEP);
	for (n = 0; n < LARGE_STEPS; n++)
		z->large[n] = SHMZONE_CACHE_BIN_WORD +
			      smallest_class(z, last, (n + 1) * LARGE_STEP);
}

static int ask_classes(struct shmz *z)
{
	struct shmzone_info info = {
		.size = sizeof(info),
		.classes = (uintptr_t)z->class,
		.class_count = CLASS_MAX,
		.class_size = sizeof(z->class[0]),
	};
	int ret = lib_ioctl(z->fd, SHMZONE_INFO, &info);
	uint32_t last = info.out_class_count - 1;

	if (ret)
		return ret;
	if (!info.out_page_bytes || last >= CLASS_MAX)
		return -EINVAL;
	z->page_shift = __builtin_ctz(info.out_page_bytes);
	if (z->page_shift != page_shift(z))
		return -EINVAL;
	index_classes(z, last);
	z->slot_bytes_max = z->class[last].slot_bytes;
	return 0;
}

static int map_areas(struct shmz *z, int prot)
{
	void *data = NULL, *map = NULL;
	int ret;

	ret = lib_map(z->fd, &data, z->bytes, prot, 0);
	if (ret)
		return ret;
	ret = lib_map(z->fd, &map, page_map_bytes(z), PROT_READ,
		      SHMZONE_MMAP_PAGE_MAP);
	if (ret) {
		lib_unmap(data, z->bytes);
		return ret;
	}
	z->base = data;
	z->page_map = map;
	return 0;
}

/* On failure the descriptor stays with the caller. */
static struct shmz *zone_map(int fd, int prot, bool cached)
{
	struct shmz *z = aligned_alloc(LINE, (sizeof(*z) + LINE - 1) / LINE * LINE);
	uint64_t id;
	int ret;

	if (!z)
		return fail(-ENOMEM);
	memset(z, 0, sizeof(*z));
	z->fd = fd;
	set_slot(z, SLOT_NONE);
	ret = ask_size(z, &id);
	if (!ret)
		ret = ask_classes(z);
	if (!ret)
		ret = map_areas(z, prot);
	if (ret) {
		free(z);
		return fail(ret);
	}
	/* It does without, if there is to be no cache. */
	if (cached)
		slot_get(z, id);
	return z;
}

/* For descriptors that nobody else knows of yet. */
static struct shmz *zone_map_or_close(int fd, int prot, bool cached)
{
	struct shmz *z;

	if (fd < 0)
		return fail(fd);
	z = zone_map(fd, prot, cached);
	if (!z)
		lib_close(fd);
	return z;
}

/* As the kernel does it: excess bytes that are zero are as good as absent. */
static int copy_options(struct shmz_options *to,
			const struct shmz_options *from)
{
	const char *tail = (const char *)from;
	size_t i;

	memset(to, 0, sizeof(*to));
	if (!from)
		return 0;
	if (from->size < OPTIONS_SIZE_VER0)
		return -EINVAL;
	for (i = sizeof(*to); i < from->size; i++)
		if (tail[i])
			return -E2BIG;
	memcpy(to, from, from->size < sizeof(*to) ? from->size : sizeof(*to));
	return to->flags & ~OPTIONS_FLAGS ? -EOPNOTSUPP : 0;
}

static unsigned int create_flags(const struct shmz_options *o)
{
	return (o->flags & SHMZ_EXCL ? SHMZONE_CREATE_EXCL : 0) |
	       (o->flags & SHMZ_PERSIST ? SHMZONE_CREATE_PERSIST : 0) |
	       (o->flags & SHMZ_COMMITTED ? SHMZONE_CREATE_COMMITTED : 0) |
	       (o->flags & SHMZ_STRICT ? SHMZONE_CREATE_STRICT : 0) |
	       (o->flags & SHMZ_OWNED ? SHMZONE_CREATE_OWNED : 0) |
	       (o->flags & SHMZ_CHECKED ? SHMZONE_CREATE_CHECKED : 0);
}

static int prepare_create(struct shmzone_create *args, const char *name,
			  uint64_t bytes, const struct shmz_options *opts)
{
	uint64_t least = 2 * (uint64_t)sysconf(_SC_PAGESIZE);
	struct shmz_options o;
	int ret;

	ret = copy_options(&o, opts);
	if (!ret)
		ret = round_to_pages(&bytes);
	if (!ret)
		ret = round_to_pages(&o.limit);
	if (ret)
		return ret;

	*args = (struct shmzone_create){
		.size = sizeof(*args),
		.flags = create_flags(&o),
		.zone_bytes = bytes < least ? least : bytes,
		.limit_bytes = o.limit,
	};
	if (name) {
		args->name = (uintptr_t)name;
		args->name_len = strlen(name);
		args->mode = o.mode ? o.mode : 0600;
	}
	return 0;
}

struct shmz *shmz_create(const char *name, uint64_t bytes,
			 const struct shmz_options *opts)
{
	struct shmzone_create args;
	int ret = prepare_create(&args, name, bytes, opts);
	bool cached;

	if (ret)
		return fail(ret);
	cached = !opts || !(opts->flags & SHMZ_UNCACHED);
	return zone_map_or_close(lib_control(SHMZONE_CREATE, &args),
				 PROT_READ | PROT_WRITE, cached);
}

struct shmz *shmz_open(const char *name, unsigned int flags)
{
	struct shmzone_open args = { .size = sizeof(args) };

	unsigned int rdonly = flags & (SHMZ_RDONLY | SHMZ_MAP_RDONLY);

	if (flags & ~(SHMZ_RDONLY | SHMZ_MAP_RDONLY | SHMZ_UNCACHED))
		return fail(-EOPNOTSUPP);
	if (!name)
		return fail(-EINVAL);
	if (flags & SHMZ_RDONLY)
		args.flags = SHMZONE_OPEN_RDONLY;
	args.name = (uintptr_t)name;
	args.name_len = strlen(name);
	return zone_map_or_close(lib_control(SHMZONE_OPEN, &args),
				 rdonly ? PROT_READ : PROT_READ | PROT_WRITE,
				 !(flags & (SHMZ_RDONLY | SHMZ_UNCACHED)));
}

struct shmz *shmz_adopt(int fd)
{
	int mode = fcntl(fd, F_GETFL);
	bool writable;

	if (mode < 0)
		return NULL;
	writable = (mode & O_ACCMODE) == O_RDWR;
	return zone_map(fd, writable ? PROT_READ | PROT_WRITE : PROT_READ,
			writable);
}

void shmz_close(struct shmz *z)
{
	int saved = errno;

	if (!z)
		return;
	slot_put(z);
	lib_unmap((void *)z->page_map, page_map_bytes(z));
	lib_unmap(z->base, z->bytes);
	lib_close(z->fd);
	free(z);
	errno = saved;
}
