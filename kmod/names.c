// SPDX-License-Identifier: GPL-2.0
/*
 * Names of zones.
 *
 * A name belongs to the IPC namespace of its creator, and is checked as System
 * V IPC checks its objects: the owner, else the group, else others, by the
 * mode's read and write bits, with CAP_IPC_OWNER over the namespace to pass
 * all of them.
 *
 * The table does not hold zones. A zone leaves it when it is freed, or before
 * by UNLINK; one that is found with its last reference gone counts as not
 * there. A zone enters the table complete and stays as it was, so no half-made
 * zone can be found.
 *
 * A name holds its namespace, so that this cannot be mistaken for a later one
 * at the same address, until it leaves the table.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/ipc_namespace.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/proc_ns.h>
#include <linux/sched.h>
#include <linux/stringhash.h>
#include <linux/uaccess.h>

#include "shmzone.h"

static DEFINE_MUTEX(names_lock);
static DEFINE_HASHTABLE(names, 8);	/* protected by names_lock */

static u32 name_hash(const struct zone_name *name)
{
	return full_name_hash(name->ns, name->text, name->len);
}

static bool name_equal(const struct zone_name *a, const struct zone_name *b)
{
	return a->ns == b->ns && a->len == b->len &&
	       !memcmp(a->text, b->text, a->len);
}

/**
 * name_init() - take a name from user memory, in the caller's namespace
 * @name: filled, without a reference to the namespace
 * @text: the bytes
 * @len: how many
 *
 * Return: 0, -EINVAL, -ENAMETOOLONG or -EFAULT.
 */
int name_init(struct zone_name *name, const void __user *text, u32 len)
{
	if (!len)
		return -EINVAL;
	if (len > SHMZONE_NAME_MAX)
		return -ENAMETOOLONG;
	if (copy_from_user(name->text, text, len))
		return -EFAULT;
	name->text[len] = '\0';
	if (memchr(name->text, '\0', len) || memchr(name->text, '/', len))
		return -EINVAL;
	name->len = len;
	name->ns = current->nsproxy->ipc_ns;
	INIT_HLIST_NODE(&name->node);
	return 0;
}

/**
 * name_own() - make the caller the owner of a name that is to be added
 * @name: the name of a zone nobody else knows yet
 * @mode: permission bits
 *
 * Takes the reference to the namespace that name_drop() puts.
 */
void name_own(struct zone_name *name, umode_t mode)
{
	name->uid = current_euid();
	name->gid = current_egid();
	name->mode = mode;
	get_ipc_ns(name->ns);
}

/* put_ipc_ns() is not exported; a namespace knows how to put itself. */
static void put_ns(struct ipc_namespace *ns)
{
#ifdef CONFIG_IPC_NS
	if (ns)
		ns->ns.ops->put(&ns->ns);
#endif
}

static void name_forget(struct zone_name *name)
{
	hash_del(&name->node);
	put_ns(name->ns);
	name->ns = NULL;
}

/* A kernel without IPC namespaces may have none at all, so ns may be NULL. */
static bool name_capable(const struct zone_name *name, int cap)
{
	return name->ns ? ns_capable(name->ns->user_ns, cap) : capable(cap);
}

static bool name_permits(const struct zone_name *name, bool write)
{
	u16 wanted = write ? 06 : 04;
	u16 granted = name->mode;

	if (uid_eq(current_euid(), name->uid))
		granted >>= 6;
	else if (in_group_p(name->gid))
		granted >>= 3;
	return !(wanted & ~granted) || name_capable(name, CAP_IPC_OWNER);
}

/* The live zone of that name, with a reference for the caller, or NULL. */
static struct shmzone *name_find(const struct zone_name *key)
{
	struct shmzone *zone;

	lockdep_assert_held(&names_lock);
	hash_for_each_possible(names, zone, name.node, name_hash(key)) {
		if (name_equal(&zone->name, key) && zone_tryget(zone))
			return zone;
	}
	return NULL;
}

/**
 * name_add() - let a zone be found by its name
 * @zone: a complete zone whose name is not in the table
 *
 * Return: 0, or -EEXIST if the name is taken.
 */
int name_add(struct shmzone *zone)
{
	struct shmzone *other;

	mutex_lock(&names_lock);
	other = name_find(&zone->name);
	if (!other)
		hash_add(names, &zone->name.node, name_hash(&zone->name));
	mutex_unlock(&names_lock);

	if (!other)
		return 0;
	zone_put(other);
	return -EEXIST;
}

/**
 * name_drop() - forget the name of a zone that is being freed, if it has one
 * @zone: the zone
 */
void name_drop(struct shmzone *zone)
{
	if (!zone->name.len)
		return;
	mutex_lock(&names_lock);
	name_forget(&zone->name);
	mutex_unlock(&names_lock);
}

/**
 * name_open() - the zone of a name, if the caller may have it
 * @key: the name
 * @write: whether for writing too
 *
 * Return: the zone with a reference, or ERR_PTR() of -ENOENT or -EACCES.
 */
struct shmzone *name_open(const struct zone_name *key, bool write)
{
	bool permitted = false;
	struct shmzone *zone;

	mutex_lock(&names_lock);
	zone = name_find(key);
	if (zone)
		permitted = name_permits(&zone->name, write);
	mutex_unlock(&names_lock);

	if (!zone)
		return ERR_PTR(-ENOENT);
	if (!permitted) {
		zone_put(zone);
		return ERR_PTR(-EACCES);
	}
	return zone;
}

/**
 * name_unlink() - take a name away from its zone
 * @key: the name
 *
 * Return: 0, -ENOENT, or -EPERM if the caller neither owns the name nor has
 * CAP_SYS_ADMIN over the namespace.
 */
int name_unlink(const struct zone_name *key)
{
	struct shmzone *zone;
	int ret = 0;

	mutex_lock(&names_lock);
	zone = name_find(key);
	if (!zone)
		ret = -ENOENT;
	else if (!uid_eq(current_euid(), zone->name.uid) &&
		 !name_capable(&zone->name, CAP_SYS_ADMIN))
		ret = -EPERM;
	else
		name_forget(&zone->name);
	mutex_unlock(&names_lock);

	if (zone)
		zone_put(zone);
	return ret;
}
