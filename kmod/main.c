// SPDX-License-Identifier: GPL-2.0
/*
 * The module and its device node, /dev/shmzone.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

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

static int __init shmzone_init(void)
{
	return misc_register(&shmzone_device);
}

static void __exit shmzone_exit(void)
{
	misc_deregister(&shmzone_device);
	names_exit();
}

module_init(shmzone_init);
module_exit(shmzone_exit);

MODULE_DESCRIPTION("Shared memory zones with an allocator in the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
