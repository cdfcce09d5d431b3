/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The roots of a zone: see roots.c.
 */
#ifndef SHMZONE_ROOTS_H
#define SHMZONE_ROOTS_H

#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct roots - the table of roots of a zone
 * @lock: protects all else
 * @tree: struct root, in the order of their names
 * @count: number of roots
 */
struct roots {
	spinlock_t lock;	/* protects all else */
	struct rb_root tree;
	u32 count;
};

void roots_init(struct roots *roots);
void roots_destroy(struct roots *roots);
u64 roots_kernel_bytes(const struct roots *roots);

#endif /* SHMZONE_ROOTS_H */
