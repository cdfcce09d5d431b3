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

module_misc_device(shmzone_device);

MODULE_DESCRIPTION("Shared memory zones with an allocator in the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
