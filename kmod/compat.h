/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernel versions, and nothing else.
 *
 * Force-included before every file of the module. The module is written
 * against the newest kernel it knows; this header gives older kernels the
 * newer names. No other file asks for a version.
 */
#ifndef SHMZONE_COMPAT_H
#define SHMZONE_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "shmzone needs Linux 6.1 or later"
#endif

#ifndef CONFIG_64BIT
#error "shmzone needs a 64-bit kernel: zones are larger than a 32-bit address space"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* Since 6.4, and in later stable versions of older kernels. */
#include <linux/rcupdate.h>
#ifndef kvfree_rcu_mightsleep
#define kvfree_rcu_mightsleep(object) kvfree_rcu(object)
#endif

/* Exported since 6.10, and without the mm since 6.19. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#include <linux/sched.h>
#define mm_get_unmapped_area(...) (current->mm->get_unmapped_area(__VA_ARGS__))
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#include <linux/sched/mm.h>
#define mm_get_unmapped_area(...) \
	(mm_get_unmapped_area)(current->mm, __VA_ARGS__)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/fs.h>
#define vfs_mmap(file, vma) call_mmap(file, vma)
#endif

/* It took a page until 6.8. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define generic_error_remove_folio(mapping, folio) \
	generic_error_remove_page(mapping, &(folio)->page)
#endif

/* pfn_t went away in 6.17, and with it the type of vmf_insert_mixed(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>
#define vmf_insert_mixed(vma, addr, pfn) \
	(vmf_insert_mixed)(vma, addr, pfn_to_pfn_t(pfn))
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#include <linux/uaccess.h>

/* Without the report of trailing bytes that were left out. */
static inline int copy_struct_to_user(void __user *dst, size_t usize,
				      const void *src, size_t ksize,
				      bool *ignored_trailing)
{
	size_t size = min(ksize, usize);

	if (usize > size && clear_user(dst + size, usize - size))
		return -EFAULT;
	return copy_to_user(dst, src, size) ? -EFAULT : 0;
}
#endif

/* The count of a namespace's references got a name of its own in 6.18. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define ns_ref_read(namespace) refcount_read(&(namespace)->ns.count)
#endif

/* The namespace of a symbol became a string literal in 6.13. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define SHMZONE_IMPORT_NS(ns) MODULE_IMPORT_NS(ns)
#else
#define SHMZONE_IMPORT_NS(ns) MODULE_IMPORT_NS(#ns)
#endif

#endif /* SHMZONE_COMPAT_H */
