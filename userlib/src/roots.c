// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Roots: objects by name.
 *
 * The kernel's table speaks offsets, and takes 0 for "none"; NULL stands for
 * that here. The start of the zone, whose offset is 0 too, is no object.
 */
#include <string.h>

#include "lib.h"

static int change(const struct shmz *z, struct shmzone_root_set *args,
		  const char *name)
{
	if (!name)
		return -EINVAL;
	args->size = sizeof(*args);
	args->name = (uintptr_t)name;
	args->name_len = strlen(name);
	return lib_ioctl(z->fd, SHMZONE_ROOT_SET, args);
}

/* For pointers that are to be objects, or NULL. */
static int object_offset(const struct shmz *z, const void *p, uint64_t *offset)
{
	*offset = p ? raw_offset(z, p) : 0;
	return p && !*offset ? -EINVAL : 0;
}

static int get(const struct shmz *z, const char *name, void **p)
{
	struct shmzone_root_get args = { .size = sizeof(args) };
	int ret;

	if (!name)
		return -EINVAL;
	args.name = (uintptr_t)name;
	args.name_len = strlen(name);
	ret = lib_ioctl(z->fd, SHMZONE_ROOT_GET, &args);
	*p = shmz_pointer(z, args.out_offset);
	return ret;
}

void *shmz_root_get(const struct shmz *z, const char *name)
{
	void *p = NULL;
	int ret = get(z, name, &p);

	if (ret)
		return fail(ret);
	return p ? p : fail(-ENOENT);
}

int shmz_root_set(struct shmz *z, const char *name, const void *p)
{
	struct shmzone_root_set args = { .offset = raw_offset(z, p) };

	/* An allocation that failed is not to remove anything. */
	if (!p || !args.offset)
		return -EINVAL;
	return change(z, &args, name);
}

int shmz_root_delete(struct shmz *z, const char *name)
{
	struct shmzone_root_set args = { 0 };
	int ret = change(z, &args, name);

	if (ret)
		return ret;
	return args.out_old ? 0 : -ENOENT;
}

int shmz_root_cas(struct shmz *z, const char *name, void **expected,
		  const void *p)
{
	struct shmzone_root_set args = { .flags = SHMZONE_ROOT_SET_CAS };
	uint64_t offset;
	int ret;

	ret = object_offset(z, *expected, &offset);
	args.expected = offset;
	if (!ret)
		ret = object_offset(z, p, &offset);
	args.offset = offset;
	if (!ret)
		ret = change(z, &args, name);
	if (ret == -EAGAIN)
		*expected = shmz_pointer(z, args.out_old);
	return ret;
}

/* Make @p the root, or free it; gives the root, whoever made it. */
static void *publish(struct shmz *z, const char *name, void *p, int ret)
{
	void *root = NULL;

	if (!ret)
		ret = shmz_root_cas(z, name, &root, p);
	if (!ret)
		return p;
	shmz_free(z, p);
	return ret == -EAGAIN ? root : fail(ret);
}

void *shmz_root_init(struct shmz *z, const char *name, size_t bytes,
		     int (*init)(void *p, void *arg), void *arg)
{
	int saved = errno;
	void *p = NULL;
	int ret = get(z, name, &p);

	if (ret)
		return fail(ret);
	if (p)
		return p;
	p = shmz_zalloc(z, bytes);
	if (!p)
		return NULL;
	p = publish(z, name, p, init ? init(p, arg) : 0);
	/* @init may have done what it likes with it. */
	if (p)
		errno = saved;
	return p;
}

int shmz_root_list(const struct shmz *z, const char *after,
		   struct shmzone_root *roots, size_t root_size,
		   unsigned int count)
{
	struct shmzone_root_list args = {
		.size = sizeof(args),
		.roots = (uintptr_t)roots,
		.count = count,
		.root_size = root_size,
		.after = (uintptr_t)after,
		.after_len = after ? strlen(after) : 0,
	};
	int ret = lib_ioctl(z->fd, SHMZONE_ROOT_LIST, &args);

	return ret ? ret : (int)args.out_count;
}
