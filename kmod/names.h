/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of zones: what a zone knows of its own (names.c), and the tables in
 * which they are found (nametable.c).
 */
#ifndef SHMZONE_NAMES_H
#define SHMZONE_NAMES_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include <linux/shmzone.h>

struct ipc_namespace;
struct shmzone;
struct user_namespace;

/**
 * struct name_key - the bytes of a name
 * @len: bytes in @text; 0: no name
 * @text: the name, with a NUL behind it
 */
struct name_key {
	u32 len;
	char text[SHMZONE_NAME_MAX + 1];
};

/**
 * struct zone_name - the name of a zone, if it has one
 * @key: the name itself; never changes once the zone is in a table
 * @table: the table it is in, or NULL: not yet, or no longer
 * @node: link in @table
 * @doomed: link in a list of zones whose name has ended with its namespace and
 *          is to drop its reference
 * @cuid: creator
 * @cgid: creator's group
 * @uid: owner
 * @gid: owning group
 * @mode: rw permission bits for owner, group and other
 * @persist: the name holds a reference to the zone while it is in a table;
 *           never changes
 *
 * All else is protected by names_lock.
 */
struct zone_name {
	struct name_key key;
	struct name_table *table;
	struct rhash_head node;
	struct list_head doomed;
	kuid_t cuid;
	kgid_t cgid;
	kuid_t uid;
	kgid_t gid;
	u16 mode;
	bool persist;
};

/**
 * struct name_change - what PERMIT does to a name
 * @which: SHMZONE_PERMIT_*
 * @uid: new owner
 * @gid: new group
 * @mode: new mode
 */
struct name_change {
	u32 which;
	kuid_t uid;
	kgid_t gid;
	u16 mode;
};

/* names.c; all but name_drop() speak of the caller's IPC namespace. */
int name_key_init(struct name_key *key, const void __user *text, u32 len);
void name_own(struct shmzone *zone, const struct name_key *key, umode_t mode,
	      bool persist);
int name_add(struct shmzone *zone);
void name_drop(struct shmzone *zone);
struct shmzone *name_open(const struct name_key *key, bool write);
int name_unlink(const struct name_key *key);
int name_permit(const struct name_key *key, const struct name_change *change);
u32 name_list(u64 *cursor, struct shmzone_entry *entries, u32 max);
const char *name_text(struct shmzone *zone);
void names_exit(void);

/* nametable.c; all but the lock itself need it held. */
extern struct mutex names_lock;
struct name_table *name_table_find(const struct ipc_namespace *ns);
struct name_table *name_table_make(struct ipc_namespace *ns);
void name_table_put_empty(struct name_table *table);
struct user_namespace *name_table_user_ns(const struct name_table *table);
struct shmzone *name_table_lookup(struct name_table *table,
				  const struct name_key *key);
struct shmzone *name_table_next(struct name_table *table, u64 id);
int name_table_insert(struct name_table *table, struct shmzone *zone);
void name_table_remove(struct shmzone *zone);
bool name_tables_sweep(u32 max, struct list_head *doomed);
bool name_tables_may_end(void);

#endif /* SHMZONE_NAMES_H */
