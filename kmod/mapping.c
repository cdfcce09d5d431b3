// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping zones into processes.
 *
 * What stands in a VMA of a zone is a *mapping file*: a second opening of one
 * of the zone's shmem inodes, with operations of this module. The page cache,
 * swap, memory cgroups, NUMA policies and the figures of smaps are thereby the
 * kernel's own, while everything that reaches a file through a VMA meets this
 * module's rules: remap_file_pages() runs through the checks below again,
 * MADV_REMOVE finds no fallocate, and the file pins the zone and the module
 * for as long as the VMA exists, whatever happens to the descriptor. With the
 * raw shmem file in the VMA none of this would hold.
 *
 * A data VMA is shared, is never executable, does not grow, and stays out of
 * core dumps, which would make the whole zone resident by reading it. A
 * read-only descriptor has read-only mapping files, so that the kernel itself
 * takes VM_MAYWRITE away and mprotect cannot widen the right. A seal against
 * writing does the same to every VMA that is made after it. VMAs of a strict
 * zone have vm_operations of their own, see strict.c; other zones have shmem's.
 *
 * ->mmap() here allocates nothing and publishes nothing, but for caches, which
 * are the business of client.c.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>

#include "shmzone.h"

static_assert(SHMZONE_MMAP_PAGE_MAP >= ZONE_BYTES_MAX);

static int data_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct shmzone *zone = file->private_data;
	u64 pages = zone->bytes >> PAGE_SHIFT;
	int ret;

	/* A read-only descriptor's shared mapping has VM_MAYSHARE alone. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	if (zone_is_sealed(zone, SHMZONE_SEAL_WRITE)) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_mod(vma, 0, VM_MAYWRITE);
	}
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	if (zone_is(zone, SHMZONE_CREATE_STRICT))
		vm_flags_mod(vma, VM_NOHUGEPAGE, 0);
	/* shmem sets its own vm_operations; it does not keep the file. */
	ret = vfs_mmap(zone->data, vma);
	if (!ret && zone_is(zone, SHMZONE_CREATE_STRICT))
		strict_mmap(vma);
	return ret;
}

static int map_mmap(struct file *file, struct vm_area_struct *vma)
{
	return pagemap_mmap(file->private_data, vma);
}

static unsigned long data_get_unmapped_area(struct file *file,
					    unsigned long addr,
					    unsigned long len,
					    unsigned long pgoff,
					    unsigned long flags)
{
	struct shmzone *zone = file->private_data;
	struct file *data = zone->data;

	/* shmem aligns for huge pages, and insists on a file of its own. */
	if (data->f_op->get_unmapped_area)
		return data->f_op->get_unmapped_area(data, addr, len, pgoff,
						     flags);
	return mm_get_unmapped_area(file, addr, len, pgoff, flags);
}

static int mapping_release(struct inode *inode, struct file *file)
{
	zone_put(file->private_data);
	return 0;
}

static const struct file_operations data_fops = {
	.owner = THIS_MODULE,
	.mmap = data_mmap,
	.get_unmapped_area = data_get_unmapped_area,
	.fsync = noop_fsync,
	.release = mapping_release,
};

static const struct file_operations map_fops = {
	.owner = THIS_MODULE,
	.mmap = map_mmap,
	.fsync = noop_fsync,
	.release = mapping_release,
};

/* Without ->mmap(): a mapping file of caches is good for one VMA and its copies. */
static const struct file_operations caches_fops = {
	.owner = THIS_MODULE,
	.fsync = noop_fsync,
	.release = mapping_release,
};

/*
 * Open @backing's inode once more, as a file of this module that holds the zone.
 * Not by opening it: nobody can, see zone_file_open().
 */
static struct file *mapping_open(struct shmzone *zone, struct file *backing,
				 int flags, const struct file_operations *fops)
{
	struct inode *inode = file_inode(backing);
	struct file *file;

	ihold(inode);
	file = alloc_file_pseudo(inode, backing->f_path.mnt,
				 backing->f_path.dentry->d_name.name,
				 flags | O_LARGEFILE, fops);
	if (IS_ERR(file)) {
		iput(inode);
		return file;
	}
	__module_get(THIS_MODULE);
	file->private_data = zone_get(zone);
	return file;
}

struct file *mapping_open_data(struct shmzone *zone, bool write)
{
	return mapping_open(zone, zone->data, write ? O_RDWR : O_RDONLY,
			    &data_fops);
}

struct file *mapping_open_map(struct shmzone *zone)
{
	return mapping_open(zone, zone->map.file, O_RDONLY, &map_fops);
}

/**
 * mapping_open_caches() - a mapping file for caches, with an inode of its own
 * @zone: the zone
 *
 * Return: the file or an ERR_PTR().
 */
struct file *mapping_open_caches(struct shmzone *zone)
{
	struct file *backing, *file;
	char name[40];

	snprintf(name, sizeof(name), "shmzone-%llu-caches", zone->id);
	/* Never read or written, and empty: it lends its address space. */
	backing = zone_backing(name, 0);
	if (IS_ERR(backing))
		return backing;
	/* Nobody can open it by way of map_files: see zone_file_open(). */
	file_inode(backing)->i_fop = READ_ONCE(file_inode(zone->data)->i_fop);
	file = mapping_open(zone, backing, O_RDWR, &caches_fops);
	fput(backing);
	return file;
}

/* The mapping file of the area that begins at or before @pgoff. */
static struct file *area_of(const struct zone_file *zf, unsigned long pgoff)
{
	return pgoff < PAGE_MAP_PGOFF ? zf->data : zf->map;
}

/**
 * zone_mmap() - ->mmap() of zone descriptors: put the mapping file in their place
 * @file: the zone descriptor
 * @vma: the VMA in the making
 *
 * Return: 0 or a negative errno; a refusal is counted.
 */
int zone_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct zone_file *zf = file->private_data;
	struct file *area = area_of(zf, vma->vm_pgoff);
	int ret;

	if (vma->vm_pgoff < CACHES_PGOFF) {
		vma_set_file(vma, area);
		ret = vfs_mmap(area, vma);
	} else {
		ret = client_mmap(zf->zone, file->f_mode & FMODE_WRITE, vma);
	}
	if (ret)
		atomic64_inc(&zf->zone->refused_calls);
	return ret;
}

unsigned long zone_get_unmapped_area(struct file *file, unsigned long addr,
				     unsigned long len, unsigned long pgoff,
				     unsigned long flags)
{
	struct zone_file *zf = file->private_data;
	struct file *area = area_of(zf, pgoff);

	if (area == zf->data)
		return data_get_unmapped_area(area, addr, len, pgoff, flags);
	return mm_get_unmapped_area(file, addr, len, pgoff, flags);
}
