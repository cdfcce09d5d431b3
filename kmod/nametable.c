// SPDX-License-Identifier: GPL-2.0
/*
 * The tables of names: one for each IPC namespace that has any.
 *
 * A table finds a zone by its name (a rhashtable, seeded, so that nobody can
 * choose names that collide) and tells the zones in the order of their ids (an
 * xarray). It is made for the first name of its namespace and freed with the
 * last one.
 *
 * A table holds one reference to its namespace, so that another one at the same
 * address cannot be mistaken for it. The kernel tells nobody that an IPC
 * namespace ends; but once the table's reference is the last, nobody can get at
 * the namespace any more, since every other way to it is itself a reference.
 * That is what name_tables_sweep() looks for: such a namespace has ended, and
 * its names go. The initial namespace never ends and is never looked at.
 *
 * Everything here is protected by names_lock. A table does not hold the zones
 * in it; the name of a persistent zone holds one, but that is for names.c to
 * take and to drop. What the rhashtable allocates for its buckets is the one
 * thing that no memory cgroup is charged for: about a word for each name.
 */
#include <linux/hashtable.h>
#include <linux/ipc_namespace.h>
#include <linux/jhash.h>
#include <linux/proc_ns.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "shmzone.h"

/**
 * struct name_table - the names of one IPC namespace
 * @node: link in tables, by @ns
 * @mortal: link in mortal_tables; empty for the initial namespace
 * @ns: the namespace; one reference. NULL on a kernel that has none at all.
 * @by_key: zones by their name
 * @by_id: zones by their id
 * @count: zones in the table
 */
struct name_table {
	struct hlist_node node;
	struct list_head mortal;
	struct ipc_namespace *ns;
	struct rhashtable by_key;
	struct xarray by_id;
	unsigned long count;
};

DEFINE_MUTEX(names_lock);	/* see shmzone.h */
static DEFINE_HASHTABLE(tables, 8);
static LIST_HEAD(mortal_tables);

static u32 hash_key(const void *data, u32 len, u32 seed)
{
	const struct name_key *key = data;

	return jhash(key->text, key->len, seed);
}

static u32 hash_zone(const void *data, u32 len, u32 seed)
{
	const struct shmzone *zone = data;

	return hash_key(&zone->name.key, len, seed);
}

/* 0 if equal. */
static int compare(struct rhashtable_compare_arg *arg, const void *data)
{
	const struct name_key *key = arg->key;
	const struct shmzone *zone = data;

	return key->len != zone->name.key.len ||
	       memcmp(key->text, zone->name.key.text, key->len);
}

static const struct rhashtable_params by_key_params = {
	.nelem_hint = 3,
	.head_offset = offsetof(struct shmzone, name.node),
	.hashfn = hash_key,
	.obj_hashfn = hash_zone,
	.obj_cmpfn = compare,
	.automatic_shrinking = true,
};

/* put_ipc_ns() is not exported; a namespace knows how to put itself. */
static void put_ns(struct ipc_namespace *ns)
{
#ifdef CONFIG_IPC_NS
	if (ns)
		ns->ns.ops->put(&ns->ns);
#endif
}

static bool is_mortal(const struct ipc_namespace *ns)
{
	return ns && ns->ns.inum != PROC_IPC_INIT_INO;
}

/* The names of a namespace, or NULL if it has none. */
struct name_table *name_table_find(const struct ipc_namespace *ns)
{
	struct name_table *table;

	lockdep_assert_held(&names_lock);
	hash_for_each_possible(tables, table, node, (unsigned long)ns) {
		if (table->ns == ns)
			return table;
	}
	return NULL;
}

/**
 * name_table_make() - find the table of a namespace, or make it
 * @ns: the namespace; the caller has a reference
 *
 * Return: the table, or NULL for want of memory. A table that is still empty
 * after what it was made for is for name_table_put_empty().
 */
struct name_table *name_table_make(struct ipc_namespace *ns)
{
	struct name_table *table = name_table_find(ns);

	if (table)
		return table;
	table = kzalloc(sizeof(*table), ZONE_GFP);
	if (!table)
		return NULL;
	if (rhashtable_init(&table->by_key, &by_key_params)) {
		kfree(table);
		return NULL;
	}
	xa_init_flags(&table->by_id, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&table->mortal);
	table->ns = get_ipc_ns(ns);
	hash_add(tables, &table->node, (unsigned long)ns);
	if (is_mortal(ns))
		list_add_tail(&table->mortal, &mortal_tables);
	return table;
}

/* Free a table unless it has names. */
void name_table_put_empty(struct name_table *table)
{
	lockdep_assert_held(&names_lock);
	if (table->count)
		return;
	hash_del(&table->node);
	list_del(&table->mortal);
	rhashtable_destroy(&table->by_key);
	xa_destroy(&table->by_id);
	put_ns(table->ns);
	kfree(table);
}

/* Whose capabilities count for the names in it. */
struct user_namespace *name_table_user_ns(const struct name_table *table)
{
	return table->ns ? table->ns->user_ns : &init_user_ns;
}

/* The zone of that name; it may have lost its last reference already. */
struct shmzone *name_table_lookup(struct name_table *table,
				  const struct name_key *key)
{
	lockdep_assert_held(&names_lock);
	return rhashtable_lookup_fast(&table->by_key, key, by_key_params);
}

/* The zone with the lowest id above @id, or NULL. */
struct shmzone *name_table_next(struct name_table *table, u64 id)
{
	unsigned long index = id;

	lockdep_assert_held(&names_lock);
	return xa_find_after(&table->by_id, &index, ULONG_MAX, XA_PRESENT);
}

/**
 * name_table_insert() - let a zone be found by its name
 * @table: a table without that name
 * @zone: the zone
 *
 * Return: 0 or -ENOMEM.
 */
int name_table_insert(struct name_table *table, struct shmzone *zone)
{
	lockdep_assert_held(&names_lock);
	if (xa_insert(&table->by_id, zone->id, zone, ZONE_GFP))
		return -ENOMEM;
	if (rhashtable_insert_fast(&table->by_key, &zone->name.node,
				   by_key_params)) {
		xa_erase(&table->by_id, zone->id);
		return -ENOMEM;
	}
	zone->name.table = table;
	table->count++;
	return 0;
}

/**
 * name_table_remove() - forget a zone's name
 * @zone: a zone that is in a table, which is freed if that was its last
 */
void name_table_remove(struct shmzone *zone)
{
	struct name_table *table = zone->name.table;

	lockdep_assert_held(&names_lock);
	rhashtable_remove_fast(&table->by_key, &zone->name.node, by_key_params);
	xa_erase(&table->by_id, zone->id);
	zone->name.table = NULL;
	table->count--;
	name_table_put_empty(table);
}

/* The last removal frees the table. */
static void end_table(struct name_table *table, struct list_head *doomed)
{
	unsigned long left;

	for (left = table->count; left; left--) {
		struct shmzone *zone = name_table_next(table, 0);

		name_table_remove(zone);
		if (zone->name.persist)
			list_add_tail(&zone->name.doomed, doomed);
	}
}

/**
 * name_tables_sweep() - forget the names of namespaces that ended
 * @max: namespaces to look at; the next call goes on with others
 * @doomed: gets the persistent zones among them, by name.doomed, each with the
 *          reference of its name
 *
 * Return: whether there is any table that may end later.
 */
bool name_tables_sweep(u32 max, struct list_head *doomed)
{
	struct name_table *table, *last;

	lockdep_assert_held(&names_lock);
	if (list_empty(&mortal_tables))
		return false;
	last = list_last_entry(&mortal_tables, struct name_table, mortal);
	do {
		table = list_first_entry(&mortal_tables, struct name_table,
					 mortal);
		list_move_tail(&table->mortal, &mortal_tables);
		if (ns_ref_read(table->ns) == 1)
			end_table(table, doomed);
	} while (table != last && --max);
	return !list_empty(&mortal_tables);
}

/* Whether there is any table that may end. */
bool name_tables_may_end(void)
{
	lockdep_assert_held(&names_lock);
	return !list_empty(&mortal_tables);
}
