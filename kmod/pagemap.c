// SPDX-License-Identifier: GPL-2.0
/*
 * The page map: one u32 a page of the zone, readable by user space.
 *
 * It is made of parts, a page each, which cover 1024 pages of the zone (where
 * pages have 4 KiB). A part is allocated before the first slab or span in its
 * range is published and stays until the zone is freed. An absent part reads
 * as zeros: the fault handler maps the kernel's zero page in its place, and
 * that mapping is taken away, in all processes, when the part appears.
 *
 * Nothing stale can be left mapped. A fault looks for the part and maps what it
 * found under the lock for reading. Whoever adds a part takes and drops the
 * lock for writing after that, which waits for all faults that may have missed
 * it, and then unmaps what they have mapped; a later fault finds the part. No
 * memory is allocated under the lock for writing, so that a process at the
 * limit of its memory cgroup does not hold up the faults of others. While no
 * absence was ever shown, there is nothing to unmap.
 *
 * Entries are plain stores under the heap's pages lock. Readers may see them
 * change at any time; an entry is set before its run can be handed out and
 * cleared before it can be taken again. The kernel never reads one back.
 *
 * The VMA is VM_MIXEDMAP for the zero page's sake, which is not refcounted
 * there: neither the size of a zone nor the number of its readers can wear out
 * a counter.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include "shmzone.h"

#define PART_ENTRIES	(PAGE_SIZE / sizeof(u32))

/* On a part that no VMA shows as zeros any more. */
#define PART_READY	XA_MARK_0

/* The last part has to have an mmap offset. */
static_assert(SHMZONE_MMAP_PAGE_MAP + ZONE_PAGES_MAX * sizeof(u32) <= S64_MAX);

int pagemap_init(struct pagemap *map, const char *name)
{
	xa_init_flags(&map->parts, XA_FLAGS_ACCOUNT);
	init_rwsem(&map->lock);
	/* Never read or written, and empty: it lends its address space. */
	map->file = zone_backing(name, 0);
	return PTR_ERR_OR_ZERO(map->file);
}

/**
 * pagemap_destroy() - free all parts
 * @map: a page map that nobody has mapped any more, since a mapping holds the
 *       zone
 */
void pagemap_destroy(struct pagemap *map)
{
	struct page *part;
	unsigned long i;

	xa_for_each(&map->parts, i, part) {
		__free_page(part);
		cond_resched();
	}
	xa_destroy(&map->parts);
	fput(map->file);
}

static int add_part(struct pagemap *map, unsigned long i)
{
	bool absence_shown;
	struct page *part;
	int ret;

	part = alloc_page(ZONE_GFP | __GFP_ZERO);
	if (!part)
		return -ENOMEM;

	ret = xa_insert(&map->parts, i, part, ZONE_GFP);
	if (!ret)
		atomic_long_inc(&map->nr_parts);
	else
		__free_page(part);
	/* EBUSY: somebody else was first, but may not have unmapped yet. */
	if (ret && ret != -EBUSY)
		return ret;

	down_write(&map->lock);
	absence_shown = map->absence_shown;
	up_write(&map->lock);
	if (absence_shown)
		unmap_mapping_range(map->file->f_mapping,
				    SHMZONE_MMAP_PAGE_MAP +
					    ((u64)i << PAGE_SHIFT),
				    PAGE_SIZE, 0);
	xa_set_mark(&map->parts, i, PART_READY);
	return 0;
}

/**
 * pagemap_prepare() - have the parts for a range of pages
 * @map: the page map
 * @first: first page of the zone
 * @n: number of pages, at least 1
 *
 * Context: may sleep; the caller holds no lock.
 * Return: 0 or -ENOMEM. Parts that were added stay in any case.
 */
int pagemap_prepare(struct pagemap *map, u64 first, u64 n)
{
	unsigned long i = first / PART_ENTRIES;
	unsigned long last = (first + n - 1) / PART_ENTRIES;
	int ret;

	for (; i <= last; i++) {
		if (xa_get_mark(&map->parts, i, PART_READY))
			continue;
		ret = add_part(map, i);
		if (ret)
			return ret;
	}
	return 0;
}

static void mark_part(struct page *part, u32 first, u32 n, u32 entry)
{
	u32 i, *entries = page_address(part);

	for (i = first; i < first + n; i++)
		WRITE_ONCE(entries[i], entry);
}

/**
 * pagemap_mark() - set the entries of a range of pages
 * @map: the page map
 * @first: first page of the zone; pagemap_prepare() was called for the range
 * @n: number of pages
 * @entry: what they get
 *
 * Context: any; the caller holds the heap's pages lock, which orders the stores.
 */
void pagemap_mark(struct pagemap *map, u64 first, u64 n, u32 entry)
{
	while (n) {
		u64 here = min_t(u64, n, PART_ENTRIES - first % PART_ENTRIES);
		struct page *part = xa_load(&map->parts, first / PART_ENTRIES);

		if (!WARN_ON_ONCE(!part))
			mark_part(part, first % PART_ENTRIES, here, entry);
		first += here;
		n -= here;
	}
}

u64 pagemap_kernel_bytes(const struct pagemap *map)
{
	return (u64)atomic_long_read(&map->nr_parts) << PAGE_SHIFT;
}

static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct shmzone *zone = vmf->vma->vm_file->private_data;
	struct pagemap *map = &zone->map;
	struct page *part;
	vm_fault_t ret = 0;

	down_read(&map->lock);
	part = xa_load(&map->parts, vmf->pgoff - PAGE_MAP_PGOFF);
	if (part) {
		get_page(part);
		vmf->page = part;
	} else {
		WRITE_ONCE(map->absence_shown, true);
		ret = vmf_insert_mixed(vmf->vma, vmf->address,
				       my_zero_pfn(vmf->address));
	}
	up_read(&map->lock);
	return ret;
}

static const struct vm_operations_struct map_vm_ops = {
	.fault = map_fault,
};

/**
 * pagemap_mmap() - ->mmap() of a page map's mapping file
 * @zone: the zone
 * @vma: the VMA in the making; its offset is that of SHMZONE_MMAP_PAGE_MAP on
 *
 * Return: 0 or a negative errno.
 */
int pagemap_mmap(struct shmzone *zone, struct vm_area_struct *vma)
{
	u64 entries = zone->bytes >> PAGE_SHIFT;
	u64 pages = DIV_ROUND_UP(entries, PART_ENTRIES);
	u64 first;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	if (vma->vm_pgoff < PAGE_MAP_PGOFF)
		return -EINVAL;
	first = vma->vm_pgoff - PAGE_MAP_PGOFF;
	if (first > pages || vma_pages(vma) > pages - first)
		return -EINVAL;
	vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &map_vm_ops;
	return 0;
}
