// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the mapping paths of the device: real zone files, mapped
 * with the kernel's own mmap into an address space of the test, and used
 * through their ->unlocked_ioctl(), as a process would use them.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "../shmzone.h"

#define ZONE_PAGES	4096UL
#define ZONE_BYTES	(ZONE_PAGES * PAGE_SIZE)
#define MAP_BYTES	(ZONE_PAGES * sizeof(u32))
#define PART_PAGES	(PAGE_SIZE / sizeof(u32))

/* What each test starts with: a zone, two files of it, the zones of before. */
struct fixture {
	u64 zones_before;
	struct file *rw;
	struct file *ro;
};

/* Files are freed by a work, since the test is a kernel thread. */
static u64 zones_settled(u64 expected)
{
	int i;

	for (i = 0; i < 100 && zone_count() != expected; i++)
		msleep(20);
	return zone_count();
}

static int mapping_init(struct kunit *test)
{
	struct fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);
	struct shmzone *zone;

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->zones_before = zone_count();
	zone = zone_create(ZONE_BYTES, ZONE_BYTES, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, zone);
	fix->rw = zone_file_open(zone, true);
	fix->ro = zone_file_open(zone, false);
	zone_put(zone);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->rw);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->ro);
	test->priv = fix;
	return 0;
}

static void mapping_exit(struct kunit *test)
{
	struct fixture *fix = test->priv;

	if (!fix)
		return;
	if (fix->rw)
		fput(fix->rw);
	if (fix->ro)
		fput(fix->ro);
	KUNIT_EXPECT_EQ(test, zones_settled(fix->zones_before),
			fix->zones_before);
}

static unsigned long map_file(struct kunit *test, struct file *file,
			      unsigned long len, unsigned long prot,
			      unsigned long flags, u64 offset)
{
	return kunit_vm_mmap(test, file, 0, len, prot, flags, offset);
}

static unsigned long must_map(struct kunit *test, struct file *file,
			      unsigned long len, unsigned long prot, u64 offset)
{
	unsigned long addr = map_file(test, file, len, prot, MAP_SHARED, offset);

	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	return addr;
}

static u32 read_u32(struct kunit *test, unsigned long addr)
{
	u32 value = ~0;

	KUNIT_EXPECT_EQ(test, 0, get_user(value, (u32 __user *)addr));
	return value;
}

/* Carry out a command, its structure being in the test's user memory. */
static long command(struct kunit *test, struct file *file, unsigned int cmd,
		    void *arg, size_t size)
{
	unsigned long user = map_file(test, NULL, PAGE_SIZE,
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, 0);
	long ret;

	KUNIT_ASSERT_FALSE(test, !user || IS_ERR_VALUE(user));
	KUNIT_ASSERT_EQ(test, 0, copy_to_user((void __user *)user, arg, size));
	ret = file->f_op->unlocked_ioctl(file, cmd, user);
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(arg, (void __user *)user, size));
	vm_munmap(user, PAGE_SIZE);
	return ret;
}

static u64 alloc_one(struct kunit *test, struct file *file, u64 bytes)
{
	unsigned long user = map_file(test, NULL, PAGE_SIZE,
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, 0);
	struct shmzone_alloc alloc = {
		.size = sizeof(alloc),
		.bytes = bytes,
		.offsets = user,
		.count = 1,
	};
	u64 offset = 0;

	KUNIT_ASSERT_FALSE(test, !user || IS_ERR_VALUE(user));
	KUNIT_ASSERT_EQ(test, 0, command(test, file, SHMZONE_ALLOC, &alloc,
					 sizeof(alloc)));
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&offset, (void __user *)user,
						sizeof(offset)));
	vm_munmap(user, PAGE_SIZE);
	return offset;
}

/* Rules of mmap: each case is wrong in one thing, or in none. */

struct rule {
	const char *name;
	bool write_file;
	u64 offset;
	unsigned long len;
	unsigned long prot;
	unsigned long flags;
	long error;
};

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

static const struct rule rules[] = {
	{ "data whole", true, 0, ZONE_BYTES, RW, MAP_SHARED, 0 },
	{ "data first page", true, 0, PAGE_SIZE, RW, MAP_SHARED, 0 },
	{ "data last page", true, ZONE_BYTES - PAGE_SIZE, PAGE_SIZE, RW,
	  MAP_SHARED, 0 },
	{ "data read-only from writable file", true, 0, ZONE_BYTES, PROT_READ,
	  MAP_SHARED, 0 },
	{ "data read-only from read-only file", false, 0, ZONE_BYTES, PROT_READ,
	  MAP_SHARED, 0 },
	{ "data writable from read-only file", false, 0, ZONE_BYTES, RW,
	  MAP_SHARED, -EACCES },
	{ "data private", true, 0, ZONE_BYTES, RW, MAP_PRIVATE, -EINVAL },
	{ "data private from read-only file", false, 0, ZONE_BYTES, PROT_READ,
	  MAP_PRIVATE, -EINVAL },
	{ "data executable", true, 0, ZONE_BYTES, RX, MAP_SHARED, -EACCES },
	{ "data one page too long", true, 0, ZONE_BYTES + PAGE_SIZE, RW,
	  MAP_SHARED, -EINVAL },
	{ "data behind the end", true, ZONE_BYTES, PAGE_SIZE, RW, MAP_SHARED,
	  -EINVAL },
	{ "data across the end", true, ZONE_BYTES - PAGE_SIZE, 2 * PAGE_SIZE,
	  RW, MAP_SHARED, -EINVAL },
	{ "between the areas", true, SHMZONE_MMAP_PAGE_MAP - PAGE_SIZE,
	  PAGE_SIZE, PROT_READ, MAP_SHARED, -EINVAL },
	{ "across into the page map", true, SHMZONE_MMAP_PAGE_MAP - PAGE_SIZE,
	  2 * PAGE_SIZE, PROT_READ, MAP_SHARED, -EINVAL },
	{ "page map whole", true, SHMZONE_MMAP_PAGE_MAP, MAP_BYTES, PROT_READ,
	  MAP_SHARED, 0 },
	{ "page map from read-only file", false, SHMZONE_MMAP_PAGE_MAP,
	  MAP_BYTES, PROT_READ, MAP_SHARED, 0 },
	{ "page map last page", true,
	  SHMZONE_MMAP_PAGE_MAP + MAP_BYTES - PAGE_SIZE, PAGE_SIZE, PROT_READ,
	  MAP_SHARED, 0 },
	{ "page map writable", true, SHMZONE_MMAP_PAGE_MAP, MAP_BYTES, RW,
	  MAP_SHARED, -EACCES },
	{ "page map executable", true, SHMZONE_MMAP_PAGE_MAP, MAP_BYTES, RX,
	  MAP_SHARED, -EACCES },
	{ "page map private", true, SHMZONE_MMAP_PAGE_MAP, MAP_BYTES, PROT_READ,
	  MAP_PRIVATE, -EINVAL },
	{ "page map too long", true, SHMZONE_MMAP_PAGE_MAP,
	  MAP_BYTES + PAGE_SIZE, PROT_READ, MAP_SHARED, -EINVAL },
	{ "page map behind the end", true, SHMZONE_MMAP_PAGE_MAP + MAP_BYTES,
	  PAGE_SIZE, PROT_READ, MAP_SHARED, -EINVAL },
};

static void rule_name(const struct rule *rule, char *desc)
{
	strscpy(desc, rule->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rule, rules, rule_name);

static void mmap_rules(struct kunit *test)
{
	const struct rule *rule = test->param_value;
	struct fixture *fix = test->priv;
	unsigned long addr;

	addr = map_file(test, rule->write_file ? fix->rw : fix->ro, rule->len,
			rule->prot, rule->flags, rule->offset);
	if (rule->error) {
		KUNIT_EXPECT_EQ(test, (long)addr, rule->error);
		return;
	}
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, rule->len));
}

/* What stands in the VMA, and the flags that keep the promises. */

static void expect_vma(struct kunit *test, unsigned long addr,
		       struct file *descriptor, unsigned long set,
		       unsigned long clear)
{
	struct zone_file *zf = descriptor->private_data;
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_PTR_NE(test, vma->vm_file, descriptor);
		KUNIT_EXPECT_PTR_NE(test, vma->vm_file, zf->zone->data);
		KUNIT_EXPECT_PTR_EQ(test, vma->vm_file->f_op->owner,
				    descriptor->f_op->owner);
		KUNIT_EXPECT_NULL(test, vma->vm_file->f_op->fallocate);
		/* remap_file_pages() goes by the file's own right. */
		if (clear & VM_MAYWRITE)
			KUNIT_EXPECT_FALSE(test,
					   vma->vm_file->f_mode & FMODE_WRITE);
		KUNIT_EXPECT_EQ(test, vma->vm_flags & set, set);
		KUNIT_EXPECT_EQ(test, vma->vm_flags & clear, 0);
	}
	mmap_read_unlock(current->mm);
}

static void data_vma_has_mapping_file(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long addr = must_map(test, fix->rw, ZONE_BYTES, RW, 0);

	expect_vma(test, addr, fix->rw,
		   VM_SHARED | VM_MAYWRITE | VM_DONTEXPAND | VM_DONTDUMP,
		   VM_EXEC | VM_MAYEXEC);
}

static void read_only_data_vma_cannot_be_widened(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long addr = must_map(test, fix->ro, ZONE_BYTES, PROT_READ, 0);

	expect_vma(test, addr, fix->ro,
		   VM_MAYSHARE | VM_DONTEXPAND | VM_DONTDUMP,
		   VM_SHARED | VM_WRITE | VM_MAYWRITE | VM_MAYEXEC);
}

static void page_map_vma_cannot_be_widened(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long addr = must_map(test, fix->rw, MAP_BYTES, PROT_READ,
				      SHMZONE_MMAP_PAGE_MAP);

	expect_vma(test, addr, fix->rw, VM_DONTEXPAND | VM_DONTDUMP,
		   VM_WRITE | VM_MAYWRITE | VM_EXEC | VM_MAYEXEC);
}

/* References: a mapping alone keeps the zone. */

static void zone_lives_while_only_mapped(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long data = must_map(test, fix->rw, ZONE_BYTES, RW, 0);
	unsigned long map = must_map(test, fix->rw, MAP_BYTES, PROT_READ,
				     SHMZONE_MMAP_PAGE_MAP);

	fput(fix->rw);
	fput(fix->ro);
	fix->rw = NULL;
	fix->ro = NULL;
	msleep(20);
	KUNIT_EXPECT_EQ(test, zone_count(), fix->zones_before + 1);
	KUNIT_EXPECT_EQ(test, 0, put_user(42U, (u32 __user *)data));
	vm_munmap(data, ZONE_BYTES);
	msleep(20);
	KUNIT_EXPECT_EQ(test, zone_count(), fix->zones_before + 1);
	KUNIT_EXPECT_EQ(test, 0, read_u32(test, map));
	vm_munmap(map, MAP_BYTES);
	KUNIT_EXPECT_EQ(test, zones_settled(fix->zones_before),
			fix->zones_before);
}

static void data_is_shared_between_mappings(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long writer = must_map(test, fix->rw, ZONE_BYTES, RW, 0);
	unsigned long reader = must_map(test, fix->ro, PAGE_SIZE, PROT_READ,
					7 * PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, 0, read_u32(test, reader));
	KUNIT_EXPECT_EQ(test, 0, put_user(0xfeedU, (u32 __user *)
						   (writer + 7 * PAGE_SIZE)));
	KUNIT_EXPECT_EQ(test, 0xfeedU, read_u32(test, reader));
	KUNIT_EXPECT_EQ(test, -EFAULT, put_user(1U, (u32 __user *)reader));
}

/* The page map. */

static u32 entry_at(struct kunit *test, unsigned long map, u64 offset)
{
	return read_u32(test, map + (offset >> PAGE_SHIFT) * sizeof(u32));
}

static void entries_appear_where_zeros_were_mapped(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long map = must_map(test, fix->ro, MAP_BYTES, PROT_READ,
				     SHMZONE_MMAP_PAGE_MAP);
	unsigned long page;
	u64 offset;
	u32 entry;

	for (page = 0; page < ZONE_PAGES; page += PART_PAGES / 2)
		KUNIT_EXPECT_EQ(test, 0,
				entry_at(test, map, page << PAGE_SHIFT));

	offset = alloc_one(test, fix->rw, 100);
	entry = entry_at(test, map, offset);
	KUNIT_EXPECT_EQ(test, SHMZONE_PAGE_KIND(entry), SHMZONE_KIND_SLAB);
	KUNIT_EXPECT_NE(test, SHMZONE_PAGE_CLASS(entry), SHMZONE_CLASS_SPAN);
	/* The other parts are absent still. */
	for (page = PART_PAGES; page < ZONE_PAGES; page += PART_PAGES / 2)
		KUNIT_EXPECT_EQ(test, 0,
				entry_at(test, map, page << PAGE_SHIFT));
}

static void span_marks_its_first_page_alone(struct kunit *test)
{
	struct fixture *fix = test->priv;
	unsigned long map = must_map(test, fix->ro, MAP_BYTES, PROT_READ,
				     SHMZONE_MMAP_PAGE_MAP);
	u64 bytes = 3 * PART_PAGES * PAGE_SIZE;
	struct shmzone_free free = { .size = sizeof(free), .count = 1 };
	unsigned long user;
	u64 offset, at;
	u32 entry;

	offset = alloc_one(test, fix->rw, bytes);
	entry = entry_at(test, map, offset);
	KUNIT_EXPECT_EQ(test, SHMZONE_PAGE_KIND(entry), SHMZONE_KIND_SPAN);
	for (at = PAGE_SIZE; at < bytes; at += 64 * PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, 0, entry_at(test, map, offset + at));

	user = must_map(test, fix->rw, PAGE_SIZE, RW, offset & PAGE_MASK);
	KUNIT_ASSERT_EQ(test, 0, put_user(offset, (u64 __user *)user));
	free.offsets = user;
	KUNIT_EXPECT_EQ(test, 0, command(test, fix->rw, SHMZONE_FREE, &free,
					 sizeof(free)));
	KUNIT_EXPECT_EQ(test, 0, entry_at(test, map, offset));
}

static struct kunit_case mapping_cases[] = {
	KUNIT_CASE_PARAM(mmap_rules, rule_gen_params),
	KUNIT_CASE(data_vma_has_mapping_file),
	KUNIT_CASE(read_only_data_vma_cannot_be_widened),
	KUNIT_CASE(page_map_vma_cannot_be_widened),
	KUNIT_CASE(zone_lives_while_only_mapped),
	KUNIT_CASE(data_is_shared_between_mappings),
	KUNIT_CASE(entries_appear_where_zeros_were_mapped),
	KUNIT_CASE(span_marks_its_first_page_alone),
	{}
};

static struct kunit_suite mapping_suite = {
	.name = "shmzone_mapping",
	.init = mapping_init,
	.exit = mapping_exit,
	.test_cases = mapping_cases,
};

kunit_test_suite(mapping_suite);

SHMZONE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_DESCRIPTION("KUnit suite for the mapping paths of shmzone");
MODULE_LICENSE("GPL");
