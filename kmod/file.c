// SPDX-License-Identifier: GPL-2.0
/*
 * Zone descriptors: what CREATE, OPEN and REOPEN return.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "shmzone.h"

static void zone_file_free(struct zone_file *zf)
{
	if (!IS_ERR_OR_NULL(zf->data))
		fput(zf->data);
	if (!IS_ERR_OR_NULL(zf->map))
		fput(zf->map);
	zone_put(zf->zone);
	kfree(zf);
}

static int zone_release(struct inode *inode, struct file *file)
{
	zone_file_free(file->private_data);
	return 0;
}

static const struct file_operations zone_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = zone_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = zone_mmap,
	.get_unmapped_area = zone_get_unmapped_area,
	.release = zone_release,
};

/**
 * zone_file_open() - open a zone
 * @zone: the zone
 * @write: whether for writing too
 *
 * Return: a new file with a reference of its own to the zone, or an ERR_PTR().
 */
struct file *zone_file_open(struct shmzone *zone, bool write)
{
	struct zone_file *zf;
	struct file *file;

	zf = kzalloc(sizeof(*zf), GFP_KERNEL_ACCOUNT);
	if (!zf)
		return ERR_PTR(-ENOMEM);
	zf->zone = zone_get(zone);

	zf->data = mapping_open_data(zone, write);
	file = zf->data;
	if (IS_ERR(file))
		goto err_free;
	zf->map = mapping_open_map(zone);
	file = zf->map;
	if (IS_ERR(file))
		goto err_free;
	file = anon_inode_getfile("[shmzone]", &zone_fops, zf,
				  write ? O_RDWR : O_RDONLY);
	if (IS_ERR(file))
		goto err_free;
	return file;

err_free:
	zone_file_free(zf);
	return file;
}
EXPORT_SYMBOL_IF_KUNIT(zone_file_open);
