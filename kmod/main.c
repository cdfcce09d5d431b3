// SPDX-License-Identifier: GPL-2.0
/*
 * The module and its device node, /dev/shmzone.
 */
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "core/heap.h"
#include "shmzone.h"

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice shmzone_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "shmzone",
	.mode = 0660,
	.fops = &control_fops,
};

static unsigned int shards;
module_param(shards, uint, 0444);
MODULE_PARM_DESC(shards,
		 "Locks that requests for one size class may be spread over, 1 to 16; 0 (default): one for every four processors");

static int __init shmzone_init(void)
{
	int ret;

	heap_shards = clamp_t(u32, shards ?: num_possible_cpus() / 4, 1,
			      HEAP_SHARDS_MAX);
	ret = zone_init();
	if (ret)
		return ret;
	ret = misc_register(&shmzone_device);
	if (ret)
		zone_exit();
	return ret;
}

static void __exit shmzone_exit(void)
{
	misc_deregister(&shmzone_device);
	names_exit();
	zone_exit();
}

module_init(shmzone_init);
module_exit(shmzone_exit);

MODULE_DESCRIPTION("Shared memory zones with an allocator in the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
