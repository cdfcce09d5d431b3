// SPDX-License-Identifier: GPL-2.0
/*
 * Strict zones: what is not allocated cannot be touched.
 *
 * Only pages of slabs and spans can be touched; any other is SIGBUS, for reads
 * too, and through whatever path memory is reached, as all of them end in
 * ->fault(). A slab or span that ends loses its memory before its pages can be
 * taken again. So free pages hold no memory, the limit bounds what the zone can
 * hold, whoever touches what, and the memory of new slabs and spans is zero. A
 * page of a slab without a live slot is part of the slab, and can be touched.
 *
 * Data VMAs have the vm_operations of shmem, with a ->fault() around shmem's and
 * without ->map_pages(), which would map what lies around a fault unasked. Base
 * pages alone are mapped, since a huge one would show its neighbours; as these
 * vm_operations are not shmem's, there is no userfaultfd, which could fill holes.
 *
 * Fault against release. The page lock closes the race between a fault that
 * found its page taken, and the end of the run it belongs to:
 *
 *	fault				release
 *	-----				-------
 *	page is taken?			run is made dying (heap's pages lock)
 *	find or allocate the page,	unmap all of the run
 *	  and lock it			for each page: lock it, unmap it, take it
 *	page is taken still?		  out, unlock it
 *	map the page, unlock it		pages are free (heap's pages lock)
 *
 * The second question is asked, and the page mapped, under its lock. If the
 * answer is yes, the release, if there is one, has its turn with the page
 * later, and finds it mapped. If it is no, the page is not mapped; and as the
 * release may have been past this place when shmem allocated the page, the fault
 * takes it out again. Not so if the run is being prepared for somebody else: the
 * page is then that run's, which may have been committed with it. A page that was
 * taken, free and taken again in between is fresh, and is what the new owner
 * sees: the release in between could not leave an old one.
 *
 * The first question keeps pages from being allocated for holes at all. So more
 * pages than are taken exist for moments only, one at most for each fault that
 * is under way.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <kunit/visibility.h>

#include "core/heap.h"
#include "shmzone.h"

VISIBLE_IF_KUNIT const struct vm_operations_struct *strict_shmem_vm_ops;
EXPORT_SYMBOL_IF_KUNIT(strict_shmem_vm_ops);
static struct vm_operations_struct strict_vm_ops;
static DEFINE_MUTEX(strict_vm_ops_lock);	/* protects the first use of both */

/*
 * Looks again, now that the page is locked. It can be large if somebody asked
 * for it with MADV_HUGEPAGE: such a page has never been mapped by anybody, and
 * its neighbours are not to be.
 */
static bool may_stay(struct vm_fault *vmf)
{
	struct shmzone *zone = vmf->vma->vm_file->private_data;
	struct folio *folio = page_folio(vmf->page);
	enum heap_page state = heap_page(zone->heap, vmf->pgoff);

	if (state == HEAP_PAGE_FREE || folio_test_large(folio))
		generic_error_remove_folio(folio->mapping, folio);
	return state == HEAP_PAGE_TAKEN && !folio_test_large(folio);
}

static vm_fault_t strict_fault(struct vm_fault *vmf)
{
	struct shmzone *zone = vmf->vma->vm_file->private_data;
	vm_fault_t ret;

	if (!heap_is_taken(zone->heap, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	ret = strict_shmem_vm_ops->fault(vmf);
	/* Without a page: an error, or to be tried again. */
	if (!(ret & VM_FAULT_LOCKED) || may_stay(vmf))
		return ret;
	unlock_page(vmf->page);
	put_page(vmf->page);
	vmf->page = NULL;
	return VM_FAULT_SIGBUS;
}

/**
 * strict_mmap() - make a data VMA one of a strict zone
 * @vma: the VMA in the making, with the vm_operations of shmem, which are the
 *       same for all zones
 *
 * Context: under the mmap_lock.
 */
void strict_mmap(struct vm_area_struct *vma)
{
	mutex_lock(&strict_vm_ops_lock);
	if (!strict_shmem_vm_ops) {
		strict_vm_ops = *vma->vm_ops;
		strict_vm_ops.fault = strict_fault;
		strict_vm_ops.map_pages = NULL;
		strict_shmem_vm_ops = vma->vm_ops;
	}
	mutex_unlock(&strict_vm_ops_lock);
	vma->vm_ops = &strict_vm_ops;
}

/**
 * strict_refuse_huge() - refuse a huge page that was brought in for a run
 * @page: the page, which the caller has a reference to
 *
 * Where huge pages are set to be used for all shared memory, and not only for
 * those who ask, they would bring memory in beyond what is taken.
 *
 * Return: whether it was one; it is taken out then.
 */
bool strict_refuse_huge(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_test_large(folio))
		return false;
	folio_lock(folio);
	if (folio->mapping)
		generic_error_remove_folio(folio->mapping, folio);
	folio_unlock(folio);
	return true;
}
