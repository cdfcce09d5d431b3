// SPDX-License-Identifier: GPL-2.0
/*
 * Roots: names for offsets in a zone, and the commands ROOT_GET, ROOT_SET and
 * ROOT_LIST.
 *
 * A root is a name and the offset of what was a live object when it was set.
 * Whether it still is one is the business of those who use the zone: a free
 * does not look here, and the kernel never follows a root. A root without a
 * value does not exist, so removing is setting to 0.
 *
 * The table is a tree in the order of the names, which is what lets a listing
 * go on behind the last name it has seen, whatever came and went meanwhile. It
 * is bounded, so that its spinlock is held for ten comparisons or so. Memory is
 * allocated and freed, objects are looked up and user memory is touched without
 * that lock, and the heap's lock is never held together with it.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/heap.h"
#include "ioctl.h"
#include "roots.h"
#include "shmzone.h"

/**
 * struct root_name - the name of a root
 * @len: bytes in @text
 * @text: the name, with zeros behind it
 */
struct root_name {
	u32 len;
	char text[SHMZONE_ROOT_NAME_MAX + 1];
};

/**
 * struct root - one root
 * @node: link in the tree
 * @name: its name; never changes
 * @offset: its value, not 0
 */
struct root {
	struct rb_node node;
	struct root_name name;
	u64 offset;
};

/**
 * struct root_change - what ROOT_SET wants
 * @name: of which root
 * @offset: the new value, or 0
 * @expected: the value it must have, if @compare
 * @compare: whether it must have one
 * @old: gets the value before
 * @spare: memory for a new root; afterwards what is to be freed
 */
struct root_change {
	struct root_name name;
	u64 offset;
	u64 expected;
	bool compare;
	u64 old;
	struct root *spare;
};

void roots_init(struct roots *roots)
{
	spin_lock_init(&roots->lock);
	roots->tree = RB_ROOT;
	roots->count = 0;
}

/**
 * roots_destroy() - forget all roots
 * @roots: those of a zone that nobody uses any more
 */
void roots_destroy(struct roots *roots)
{
	struct root *root, *next;

	rbtree_postorder_for_each_entry_safe(root, next, &roots->tree, node)
		kfree(root);
}

u64 roots_kernel_bytes(const struct roots *roots)
{
	return (u64)READ_ONCE(roots->count) * sizeof(struct root);
}

/* Names. */

/* An empty name is given only where @len was checked before. */
static int copy_name(struct root_name *name, u64 from, u32 len)
{
	if (len > SHMZONE_ROOT_NAME_MAX)
		return -ENAMETOOLONG;
	memset(name, 0, sizeof(*name));
	if (copy_from_user(name->text, u64_to_user_ptr(from), len))
		return -EFAULT;
	if (memchr(name->text, 0, len))
		return -EINVAL;
	name->len = len;
	return 0;
}

/* NUL is in no name and comes before all else, so the zeros behind count. */
static int compare_names(const struct root_name *a, const struct root_name *b)
{
	return memcmp(a->text, b->text, sizeof(a->text));
}

/* The tree; all of these are called with the lock held. */

static int compare_key(const void *key, const struct rb_node *node)
{
	return compare_names(key, &rb_entry(node, struct root, node)->name);
}

static bool comes_before(struct rb_node *a, const struct rb_node *b)
{
	return compare_key(&rb_entry(a, struct root, node)->name, b) < 0;
}

static struct root *find_root(const struct roots *roots,
			      const struct root_name *name)
{
	struct rb_node *node;

	lockdep_assert_held(&roots->lock);
	node = rb_find(name, &roots->tree, compare_key);
	return node ? rb_entry(node, struct root, node) : NULL;
}

/* The first root that follows @name, which need not exist. */
static struct root *find_next_root(const struct roots *roots,
				   const struct root_name *name)
{
	struct rb_node *node = roots->tree.rb_node;
	struct root *found = NULL;

	lockdep_assert_held(&roots->lock);
	while (node) {
		if (compare_key(name, node) < 0) {
			found = rb_entry(node, struct root, node);
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

static int add_root(struct roots *roots, struct root_change *change)
{
	if (roots->count >= SHMZONE_ROOTS_MAX)
		return -ENOSPC;
	if (!change->spare)
		return -ENOMEM;
	change->spare->name = change->name;
	change->spare->offset = change->offset;
	rb_add(&change->spare->node, &roots->tree, comes_before);
	WRITE_ONCE(roots->count, roots->count + 1);
	change->spare = NULL;
	return 0;
}

static int apply_change(struct roots *roots, struct root_change *change)
{
	struct root *root = find_root(roots, &change->name);

	change->old = root ? root->offset : 0;
	if (change->compare && change->old != change->expected)
		return -EAGAIN;
	if (!root)
		return change->offset ? add_root(roots, change) : 0;
	if (change->offset) {
		root->offset = change->offset;
		return 0;
	}
	rb_erase(&root->node, &roots->tree);
	WRITE_ONCE(roots->count, roots->count - 1);
	/* Nobody allocates memory for a removal. */
	change->spare = root;
	return 0;
}

/* Memory is allocated once it is known that the root has to be made. */
static int change_root(struct roots *roots, struct root_change *change)
{
	int ret;

	for (;;) {
		spin_lock(&roots->lock);
		ret = apply_change(roots, change);
		spin_unlock(&roots->lock);
		if (ret != -ENOMEM)
			break;
		change->spare = kmalloc(sizeof(*change->spare), ZONE_GFP);
		if (!change->spare)
			break;
	}
	kfree(change->spare);
	return ret;
}

/* Commands. */

long root_get_ioctl(struct ucmd *ucmd)
{
	struct shmzone_root_get *get = ucmd->cmd;
	struct roots *roots = &ucmd->zone->roots;
	struct root_name name;
	struct root *root;
	int ret;

	if (get->__reserved)
		return -EOPNOTSUPP;
	if (!get->name_len)
		return -EINVAL;
	ret = copy_name(&name, get->name, get->name_len);
	if (ret)
		return ret;

	ucmd->examined = true;
	spin_lock(&roots->lock);
	root = find_root(roots, &name);
	get->out_offset = root ? root->offset : 0;
	spin_unlock(&roots->lock);
	return ucmd_respond(ucmd);
}

static int check_root_set(const struct shmzone_root_set *set)
{
	if (set->__reserved)
		return -EOPNOTSUPP;
	if (!set->name_len)
		return -EINVAL;
	if (set->expected && !(set->flags & SHMZONE_ROOT_SET_CAS))
		return -EINVAL;
	return 0;
}

long root_set_ioctl(struct ucmd *ucmd)
{
	struct shmzone_root_set *set = ucmd->cmd;
	struct shmzone *zone = ucmd->zone;
	struct root_change change = {
		.offset = set->offset,
		.expected = set->expected,
		.compare = set->flags & SHMZONE_ROOT_SET_CAS,
	};
	struct heap_object object;
	int ret;

	ret = check_root_set(set);
	if (ret)
		return ret;
	ret = copy_name(&change.name, set->name, set->name_len);
	if (ret)
		return ret;
	/* Others may see the change at once: it cannot be undone. */
	set->out_old = 0;
	ret = ucmd_respond(ucmd);
	if (ret)
		return ret;

	ucmd->examined = true;
	if (set->offset && heap_find(zone->heap, set->offset, &object))
		return -EINVAL;
	ret = change_root(&zone->roots, &change);
	if (ret && ret != -EAGAIN)
		return ret;
	set->out_old = change.old;
	return ucmd_respond(ucmd) ?: ret;
}

/* Fills @entry with the root that follows @name, which becomes its name. */
static bool next_entry(struct roots *roots, struct root_name *name,
		       struct shmzone_root *entry)
{
	const struct root *root;

	spin_lock(&roots->lock);
	root = find_next_root(roots, name);
	if (root) {
		*name = root->name;
		entry->offset = root->offset;
	}
	spin_unlock(&roots->lock);
	if (!root)
		return false;

	entry->name_len = name->len;
	entry->__reserved = 0;
	static_assert(sizeof(entry->name) == sizeof(name->text));
	memcpy(entry->name, name->text, sizeof(entry->name));
	return true;
}

static int put_entries(struct roots *roots, struct root_name *name,
		       struct shmzone_root_list *list)
{
	void __user *to = u64_to_user_ptr(list->roots);
	struct shmzone_root entry;

	list->out_count = 0;
	while (list->out_count < list->count &&
	       next_entry(roots, name, &entry)) {
		if (copy_struct_to_user(to, list->root_size, &entry,
					sizeof(entry), NULL))
			return -EFAULT;
		to += list->root_size;
		list->out_count++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

long root_list_ioctl(struct ucmd *ucmd)
{
	struct shmzone_root_list *list = ucmd->cmd;
	struct root_name name;
	int ret;

	if (!list->count)
		return -EINVAL;
	if (list->root_size < offsetofend(struct shmzone_root, name))
		return -EINVAL;
	if (list->root_size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_name(&name, list->after, list->after_len);
	if (ret)
		return ret;
	ret = put_entries(&ucmd->zone->roots, &name, list);
	return ret ?: ucmd_respond(ucmd);
}
