// SPDX-License-Identifier: GPL-2.0
/*
 * Names of zones: who may do what with them, and how long they last.
 *
 * A name belongs to the IPC namespace of its creator, and is checked as System
 * V IPC checks its objects: creator and owner, else the groups of both, else
 * others, by the mode's read and write bits, with CAP_IPC_OWNER over the
 * namespace to pass all of them. Only creator and owner may take it away or
 * change it, with CAP_SYS_ADMIN over the namespace to be as good as them.
 *
 * The name of a persistent zone is one of its users: it holds a reference from
 * name_add() until it leaves its table, by UNLINK or with its namespace. Any
 * other name holds nothing. A zone leaves the table when it is freed, or
 * before; one that is found with its last reference gone counts as not there,
 * and makes way for a new zone of that name. A zone enters the table complete,
 * so no half-made zone can be found.
 *
 * The names of a namespace that ended are found by looking (nametable.c): a few
 * tables at every command on names, and all of them every SWEEP_PERIOD for as
 * long as there is any that may end. References are dropped without names_lock,
 * which freeing a zone takes.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>

#include "shmzone.h"

#define SWEEP_PERIOD	(2 * HZ)
/* Tables that every command looks at, so that it takes no longer for many. */
#define SWEEP_FEW	4
/* Names that LIST looks at under one hold of the lock. */
#define LIST_HOLD	64

static void sweep_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(sweep, sweep_work);

static void queue_sweep(void)
{
	queue_delayed_work(system_power_efficient_wq, &sweep,
			   round_jiffies_relative(SWEEP_PERIOD));
}

/*
 * Every command on names happens between these two. @doomed takes what the
 * caller is to be rid of: zones whose name had a reference and has ended.
 */
static void lock_names(struct list_head *doomed)
{
	INIT_LIST_HEAD(doomed);
	mutex_lock(&names_lock);
	name_tables_sweep(SWEEP_FEW, doomed);
}

static void unlock_names(struct list_head *doomed)
{
	struct shmzone *zone, *next;

	mutex_unlock(&names_lock);
	list_for_each_entry_safe(zone, next, doomed, name.doomed)
		zone_put(zone);
}

static void sweep_work(struct work_struct *work)
{
	struct list_head doomed;

	lock_names(&doomed);
	if (name_tables_sweep(U32_MAX, &doomed))
		queue_sweep();
	unlock_names(&doomed);
}

/**
 * names_exit() - have no code of this file run any more
 *
 * For the module's exit: no zone exists, so there are no names.
 */
void names_exit(void)
{
	cancel_delayed_work_sync(&sweep);
}

static struct ipc_namespace *current_ns(void)
{
	return current->nsproxy->ipc_ns;
}

/**
 * name_key_init() - take a name from user memory
 * @key: filled
 * @text: the bytes
 * @len: how many
 *
 * Return: 0, -EINVAL, -ENAMETOOLONG or -EFAULT.
 */
int name_key_init(struct name_key *key, const void __user *text, u32 len)
{
	if (!len)
		return -EINVAL;
	if (len > SHMZONE_NAME_MAX)
		return -ENAMETOOLONG;
	if (copy_from_user(key->text, text, len))
		return -EFAULT;
	key->text[len] = '\0';
	if (memchr(key->text, '\0', len) || memchr(key->text, '/', len))
		return -EINVAL;
	key->len = len;
	return 0;
}

/**
 * name_own() - give a zone a name, with the caller as creator and owner
 * @zone: a zone nobody else knows yet
 * @key: the name
 * @mode: permission bits
 * @persist: whether the zone is to live until it loses the name
 */
void name_own(struct shmzone *zone, const struct name_key *key, umode_t mode,
	      bool persist)
{
	struct zone_name *name = &zone->name;

	name->key = *key;
	name->cuid = current_euid();
	name->cgid = current_egid();
	name->uid = name->cuid;
	name->gid = name->cgid;
	name->mode = mode;
	name->persist = persist;
}

static bool is_owner(const struct zone_name *name)
{
	return uid_eq(current_euid(), name->cuid) ||
	       uid_eq(current_euid(), name->uid);
}

/* Whether the mode allows it. */
static bool mode_permits(const struct zone_name *name, bool write)
{
	u16 wanted = write ? 06 : 04;
	u16 granted = name->mode;

	if (is_owner(name))
		granted >>= 6;
	else if (in_group_p(name->cgid) || in_group_p(name->gid))
		granted >>= 3;
	return !(wanted & ~granted);
}

static bool name_capable(const struct zone_name *name, int cap)
{
	return ns_capable(name_table_user_ns(name->table), cap);
}

/* The live zone of that name, with a reference for the caller, or NULL. */
static struct shmzone *name_find(const struct name_key *key)
{
	struct name_table *table = name_table_find(current_ns());
	struct shmzone *zone = table ? name_table_lookup(table, key) : NULL;

	return zone && zone_tryget(zone) ? zone : NULL;
}

/*
 * One that is about to be freed is no obstacle; it goes after the new one has
 * come, so that the table is never empty in between.
 */
static int table_add(struct name_table *table, struct shmzone *zone,
		     struct shmzone **other)
{
	struct shmzone *old = name_table_lookup(table, &zone->name.key);
	int ret;

	if (old && zone_tryget(old)) {
		*other = old;
		return -EEXIST;
	}
	ret = name_table_insert(table, zone);
	if (ret)
		return ret;
	if (old)
		name_table_remove(old);
	if (zone->name.persist)
		zone_get(zone);
	if (name_tables_may_end())
		queue_sweep();
	return 0;
}

/**
 * name_add() - let a zone be found by its name
 * @zone: a complete zone whose name is in no table
 *
 * Return: 0, -EEXIST if the name is taken, or -ENOMEM.
 */
int name_add(struct shmzone *zone)
{
	struct shmzone *other = NULL;
	struct name_table *table;
	struct list_head doomed;
	int ret = -ENOMEM;

	lock_names(&doomed);
	table = name_table_make(current_ns());
	if (table) {
		ret = table_add(table, zone, &other);
		name_table_put_empty(table);
	}
	unlock_names(&doomed);

	if (other)
		zone_put(other);
	return ret;
}

/**
 * name_drop() - forget the name of a zone that is being freed, if it has one
 * @zone: the zone
 */
void name_drop(struct shmzone *zone)
{
	if (!zone->name.key.len)
		return;
	mutex_lock(&names_lock);
	if (zone->name.table)
		name_table_remove(zone);
	mutex_unlock(&names_lock);
}

/**
 * name_open() - the zone of a name, if the caller may have it
 * @key: the name
 * @write: whether for writing too
 *
 * Return: the zone with a reference, or ERR_PTR() of -ENOENT or -EACCES.
 */
struct shmzone *name_open(const struct name_key *key, bool write)
{
	struct list_head doomed;
	bool permitted = false;
	struct shmzone *zone;

	lock_names(&doomed);
	zone = name_find(key);
	if (zone)
		permitted = mode_permits(&zone->name, write) ||
			    name_capable(&zone->name, CAP_IPC_OWNER);
	unlock_names(&doomed);

	if (!zone)
		return ERR_PTR(-ENOENT);
	if (!permitted) {
		zone_put(zone);
		return ERR_PTR(-EACCES);
	}
	return zone;
}

/* The zone of a name, with a reference, and whether the caller may change it. */
static int find_own(const struct name_key *key, struct shmzone **zone)
{
	*zone = name_find(key);
	if (!*zone)
		return -ENOENT;
	if (!is_owner(&(*zone)->name) &&
	    !name_capable(&(*zone)->name, CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

/**
 * name_unlink() - take a name away from its zone
 * @key: the name
 *
 * Return: 0, -ENOENT, or -EPERM if the caller neither owns the name nor has
 * CAP_SYS_ADMIN over the namespace.
 */
int name_unlink(const struct name_key *key)
{
	struct list_head doomed;
	struct shmzone *zone;
	int ret;

	lock_names(&doomed);
	ret = find_own(key, &zone);
	if (!ret) {
		name_table_remove(zone);
		if (zone->name.persist)
			list_add(&zone->name.doomed, &doomed);
	}
	unlock_names(&doomed);

	if (zone)
		zone_put(zone);
	return ret;
}

/**
 * name_permit() - change owner, group or mode of a name
 * @key: the name
 * @change: what to change
 *
 * Return: as name_unlink().
 */
int name_permit(const struct name_key *key, const struct name_change *change)
{
	struct list_head doomed;
	struct shmzone *zone;
	int ret;

	lock_names(&doomed);
	ret = find_own(key, &zone);
	if (!ret) {
		if (change->which & SHMZONE_PERMIT_UID)
			zone->name.uid = change->uid;
		if (change->which & SHMZONE_PERMIT_GID)
			zone->name.gid = change->gid;
		if (change->which & SHMZONE_PERMIT_MODE)
			zone->name.mode = change->mode;
	}
	unlock_names(&doomed);

	if (zone)
		zone_put(zone);
	return ret;
}

static u32 entry_flags(const struct shmzone *zone)
{
	return (zone->name.persist ? SHMZONE_ENTRY_PERSIST : 0) |
	       (zone_is(zone, SHMZONE_CREATE_COMMITTED) ?
			SHMZONE_ENTRY_COMMITTED : 0) |
	       (zone_is(zone, SHMZONE_CREATE_STRICT) ? SHMZONE_ENTRY_STRICT : 0) |
	       (zone_is(zone, SHMZONE_CREATE_OWNED) ? SHMZONE_ENTRY_OWNED : 0) |
	       (zone_is(zone, SHMZONE_CREATE_CHECKED) ?
			SHMZONE_ENTRY_CHECKED : 0);
}

static void fill_entry(struct shmzone_entry *entry, const struct shmzone *zone)
{
	const struct zone_name *name = &zone->name;
	struct user_namespace *ns = current_user_ns();

	*entry = (struct shmzone_entry) {
		.id = zone->id,
		.zone_bytes = zone->bytes,
		.flags = entry_flags(zone),
		.mode = name->mode,
		.uid = from_kuid_munged(ns, name->uid),
		.gid = from_kgid_munged(ns, name->gid),
		.name_len = name->key.len,
	};
	memcpy(entry->name, name->key.text, name->key.len);
}

/**
 * name_list() - tell some names that the caller may open for reading
 * @cursor: id after which to go on; gets the last one looked at, or 0 if there
 *          are no more
 * @entries: filled
 * @max: how many fit
 *
 * Looks at a bounded number of names.
 *
 * Return: how many were filled in, which may be 0 before the last.
 */
u32 name_list(u64 *cursor, struct shmzone_entry *entries, u32 max)
{
	struct shmzone *zone = NULL;
	struct name_table *table;
	struct list_head doomed;
	u32 looked, n = 0;
	bool all = false;

	lock_names(&doomed);
	table = name_table_find(current_ns());
	/* One that is refused is no offence here, and none for the audit log. */
	if (table)
		all = ns_capable_noaudit(name_table_user_ns(table),
					 CAP_IPC_OWNER);
	for (looked = 0; table && looked < LIST_HOLD && n < max; looked++) {
		zone = name_table_next(table, *cursor);
		if (!zone)
			break;
		*cursor = zone->id;
		if (all || mode_permits(&zone->name, false))
			fill_entry(&entries[n++], zone);
	}
	if (!zone || !name_table_next(table, *cursor))
		*cursor = 0;
	unlock_names(&doomed);
	return n;
}

/**
 * name_text() - the name that a zone has now
 * @zone: the zone, which keeps the text
 *
 * Return: the name, or NULL if the zone has none, or no longer.
 */
const char *name_text(struct shmzone *zone)
{
	bool named;

	mutex_lock(&names_lock);
	named = zone->name.table;
	mutex_unlock(&names_lock);
	return named ? zone->name.key.text : NULL;
}
