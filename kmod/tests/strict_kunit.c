// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for strict and committed zones: which pages a fault brings in,
 * what a free leaves, and a fault that a free overtakes between its two looks
 * at the page. That is a matter of chance in the selftests; here a stand-in for
 * shmem's ->fault() stops the fault at that place.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "../shmzone.h"

#define ZONE_PAGES	1024UL
#define ZONE_BYTES	(ZONE_PAGES * PAGE_SIZE)
#define SPAN_PAGES	20UL
#define SPAN_BYTES	(SPAN_PAGES * PAGE_SIZE)
#define RW		(PROT_READ | PROT_WRITE)

/**
 * struct fixture - what each test starts with
 * @zone: a zone; the test's only file of it holds it
 * @file: that file
 * @data: its data, mapped
 * @args: user memory for the arguments of commands
 * @shmem: shmem's vm_operations, if the test has replaced them
 */
struct fixture {
	struct shmzone *zone;
	struct file *file;
	unsigned long data;
	unsigned long args;
	const struct vm_operations_struct *shmem;
};

static unsigned long must_map(struct kunit *test, struct file *file,
			      unsigned long len, unsigned long flags)
{
	unsigned long addr = kunit_vm_mmap(test, file, 0, len, RW, flags, 0);

	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	return addr;
}

static struct fixture *make_zone(struct kunit *test, u32 kind, u64 limit)
{
	struct fixture *fix = test->priv;

	fix->zone = zone_create(ZONE_BYTES, limit, kind);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->zone);
	fix->file = zone_file_open(fix->zone, true);
	zone_put(fix->zone);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->file);
	fix->data = must_map(test, fix->file, ZONE_BYTES, MAP_SHARED);
	fix->args = must_map(test, NULL, PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS);
	/* Commands are given while a fault is stopped: they are not to fault. */
	KUNIT_ASSERT_EQ(test, 0, put_user(0, (u8 __user *)fix->args));
	return fix;
}

static int strict_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct fixture), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, test->priv);
	return 0;
}

static void strict_exit(struct kunit *test)
{
	struct fixture *fix = test->priv;

	if (fix && fix->shmem)
		strict_shmem_vm_ops = fix->shmem;
	if (fix && !IS_ERR_OR_NULL(fix->file))
		fput(fix->file);
}

/* Commands; the offset follows the structure in user memory. */

static long command(struct fixture *fix, unsigned int cmd, const void *arg,
		    size_t size)
{
	if (copy_to_user((void __user *)fix->args, arg, size))
		return -EFAULT;
	return fix->file->f_op->unlocked_ioctl(fix->file, cmd, fix->args);
}

#define OFFSET_AT(fix)	((u64 __user *)((fix)->args + PAGE_SIZE - sizeof(u64)))

static long try_alloc(struct fixture *fix, u64 bytes, u64 *offset)
{
	struct shmzone_alloc alloc = {
		.size = sizeof(alloc),
		.bytes = bytes,
		.offsets = (u64)(unsigned long)OFFSET_AT(fix),
		.count = 1,
	};
	long ret = command(fix, SHMZONE_ALLOC, &alloc, sizeof(alloc));

	return ret ? ret : get_user(*offset, OFFSET_AT(fix));
}

static u64 alloc_one(struct kunit *test, u64 bytes)
{
	u64 offset = 0;

	KUNIT_ASSERT_EQ(test, 0, try_alloc(test->priv, bytes, &offset));
	return offset;
}

static void free_one(struct kunit *test, u64 offset)
{
	struct fixture *fix = test->priv;
	struct shmzone_free free = {
		.size = sizeof(free),
		.offsets = (u64)(unsigned long)OFFSET_AT(fix),
		.count = 1,
	};

	KUNIT_ASSERT_EQ(test, 0, put_user(offset, OFFSET_AT(fix)));
	KUNIT_ASSERT_EQ(test, 0, command(fix, SHMZONE_FREE, &free, sizeof(free)));
}

static unsigned long resident_pages(struct kunit *test)
{
	struct fixture *fix = test->priv;

	return zone_resident_bytes(fix->zone) >> PAGE_SHIFT;
}

/* 0, or -EFAULT for what would be SIGBUS to a program. */
static int touch(struct fixture *fix, u64 offset)
{
	u8 byte;

	return copy_from_user(&byte, (void __user *)(fix->data + offset), 1) ? -EFAULT : 0;
}

static int write_byte(struct fixture *fix, u64 offset, u8 byte)
{
	return put_user(byte, (u8 __user *)(fix->data + offset));
}

static void only_what_is_taken_is_mapped(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);
	unsigned long page;

	for (page = 0; page < ZONE_PAGES; page++) {
		u64 at = page << PAGE_SHIFT;
		bool taken = at >= span && at < span + SPAN_BYTES;

		KUNIT_EXPECT_EQ(test, taken ? 0 : -EFAULT, touch(fix, at));
		KUNIT_EXPECT_EQ(test, taken ? 0 : -EFAULT, write_byte(fix, at, 1));
	}
	KUNIT_EXPECT_EQ(test, SPAN_PAGES, resident_pages(test));
}

static void pages_come_one_by_one(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);
	struct vm_area_struct *vma;

	KUNIT_EXPECT_EQ(test, 0, touch(fix, span));
	KUNIT_EXPECT_EQ(test, 1, resident_pages(test));
	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, fix->data);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_NULL(test, vma->vm_ops->map_pages);
		KUNIT_EXPECT_TRUE(test, vma->vm_flags & VM_NOHUGEPAGE);
	}
	mmap_read_unlock(current->mm);
}

static void freed_it_is_gone(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);
	u8 byte = 0xff;

	KUNIT_EXPECT_EQ(test, 0, write_byte(fix, span, 7));
	free_one(test, span);
	KUNIT_EXPECT_EQ(test, 0, resident_pages(test));
	KUNIT_EXPECT_EQ(test, -EFAULT, touch(fix, span));
	KUNIT_EXPECT_EQ(test, span, alloc_one(test, SPAN_BYTES));
	KUNIT_EXPECT_EQ(test, 0, get_user(byte, (u8 __user *)(fix->data + span)));
	KUNIT_EXPECT_EQ(test, 0, byte);
}

static void committed_it_is_there_and_dirty(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_COMMITTED, SPAN_BYTES);
	u64 offset, span = alloc_one(test, SPAN_BYTES);
	struct page *page;
	unsigned long i;

	KUNIT_EXPECT_EQ(test, SPAN_PAGES, resident_pages(test));
	for (i = 0; i < SPAN_PAGES; i++) {
		page = find_get_page(fix->zone->data->f_mapping,
				     (span >> PAGE_SHIFT) + i);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_EXPECT_TRUE(test, PageDirty(page));
		put_page(page);
	}
	/* The limit comes before the memory. */
	KUNIT_EXPECT_EQ(test, -ENOMEM, try_alloc(fix, PAGE_SIZE, &offset));
	KUNIT_EXPECT_EQ(test, SPAN_PAGES, resident_pages(test));
}

static void committed_and_strict(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_COMMITTED |
					      SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);

	KUNIT_EXPECT_EQ(test, SPAN_PAGES, resident_pages(test));
	KUNIT_EXPECT_EQ(test, -EFAULT, touch(fix, span + SPAN_BYTES));
	free_one(test, span);
	KUNIT_EXPECT_EQ(test, 0, resident_pages(test));
}

/* Faults that stop, or are counted, where shmem would begin. */

/**
 * struct stopped - a fault in another thread that stops at shmem's ->fault()
 * @task: the thread
 * @mm: whose memory it touches
 * @fix: what the test started with
 * @offset: where
 * @there: it has found the page taken
 * @go_on: it may
 * @done: it is over, with
 * @ret: 0 or -EFAULT
 * @faults: how many faults came to shmem
 */
static struct stopped {
	struct task_struct *task;
	struct mm_struct *mm;
	struct fixture *fix;
	u64 offset;
	struct completion there;
	struct completion go_on;
	struct completion done;
	int ret;
	int faults;
} stopped;

static vm_fault_t stopping_fault(struct vm_fault *vmf)
{
	struct fixture *fix = stopped.fix;

	stopped.faults++;
	if (current == stopped.task) {
		complete(&stopped.there);
		wait_for_completion(&stopped.go_on);
	}
	return fix->shmem->fault(vmf);
}

static const struct vm_operations_struct stopping_vm_ops = {
	.fault = stopping_fault,
};

static int touch_in_thread(void *unused)
{
	kthread_use_mm(stopped.mm);
	stopped.ret = touch(stopped.fix, stopped.offset);
	kthread_unuse_mm(stopped.mm);
	kthread_complete_and_exit(&stopped.done, 0);
}

static void stand_in(struct fixture *fix)
{
	stopped.fix = fix;
	stopped.task = NULL;
	stopped.faults = 0;
	fix->shmem = strict_shmem_vm_ops;
	strict_shmem_vm_ops = &stopping_vm_ops;
}

/* Returns with the fault stopped. */
static void start_fault(struct kunit *test, u64 offset)
{
	struct fixture *fix = test->priv;
	struct task_struct *task;

	stand_in(fix);
	stopped.mm = current->mm;
	stopped.offset = offset;
	init_completion(&stopped.there);
	init_completion(&stopped.go_on);
	init_completion(&stopped.done);
	task = kthread_create(touch_in_thread, NULL, "shmzone_touch");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	stopped.task = task;
	wake_up_process(task);
	wait_for_completion(&stopped.there);
}

static int end_fault(void)
{
	complete(&stopped.go_on);
	wait_for_completion(&stopped.done);
	return stopped.ret;
}

static void holes_never_come_to_shmem(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);

	stand_in(fix);
	KUNIT_EXPECT_EQ(test, 0, touch(fix, span));
	KUNIT_EXPECT_EQ(test, 1, stopped.faults);
	KUNIT_EXPECT_EQ(test, -EFAULT, touch(fix, span + SPAN_BYTES));
	KUNIT_EXPECT_EQ(test, 1, stopped.faults);
}

static void fault_overtaken_by_a_free(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);

	start_fault(test, span);
	free_one(test, span);
	KUNIT_EXPECT_EQ(test, -EFAULT, end_fault());
	/* What shmem allocated for it is not left behind. */
	KUNIT_EXPECT_EQ(test, 0, resident_pages(test));
	KUNIT_EXPECT_EQ(test, -EFAULT, touch(fix, span));
}

static void fault_overtaken_by_a_free_and_an_alloc(struct kunit *test)
{
	struct fixture *fix = make_zone(test, SHMZONE_CREATE_STRICT, ZONE_BYTES);
	u64 span = alloc_one(test, SPAN_BYTES);
	u8 byte = 0xff;

	KUNIT_EXPECT_EQ(test, 0, write_byte(fix, span, 7));
	start_fault(test, span + PAGE_SIZE);
	free_one(test, span);
	KUNIT_EXPECT_EQ(test, span, alloc_one(test, SPAN_BYTES));
	/* It is the new owner's page, as any other's fault would bring it in. */
	KUNIT_EXPECT_EQ(test, 0, end_fault());
	KUNIT_EXPECT_EQ(test, 1, resident_pages(test));
	KUNIT_EXPECT_EQ(test, 0, get_user(byte, (u8 __user *)(fix->data + span)));
	KUNIT_EXPECT_EQ(test, 0, byte);
}

static struct kunit_case strict_cases[] = {
	KUNIT_CASE(only_what_is_taken_is_mapped),
	KUNIT_CASE(pages_come_one_by_one),
	KUNIT_CASE(freed_it_is_gone),
	KUNIT_CASE(committed_it_is_there_and_dirty),
	KUNIT_CASE(committed_and_strict),
	KUNIT_CASE(holes_never_come_to_shmem),
	KUNIT_CASE(fault_overtaken_by_a_free),
	KUNIT_CASE(fault_overtaken_by_a_free_and_an_alloc),
	{}
};

static struct kunit_suite strict_suite = {
	.name = "shmzone_strict",
	.init = strict_init,
	.exit = strict_exit,
	.test_cases = strict_cases,
};

kunit_test_suite(strict_suite);

SHMZONE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_DESCRIPTION("KUnit suite for strict and committed zones of shmzone");
MODULE_LICENSE("GPL");
