/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For abi.c: what every command is called with, so that it succeeds.
 */
#ifndef SHMZONE_SELFTESTS_ABI_COMMANDS_H
#define SHMZONE_SELFTESTS_ABI_COMMANDS_H

#include "utils.h"

/* What valid arguments need. */
struct targets {
	const char *name;		/* of the zone */
	const char *other_name;		/* to be created */
	__u64 object;
	__u64 parent;			/* another object, in owned zones */
	__u64 offsets[2];
	struct shmzone_class classes[SHMZONE_CLASSES];
	struct shmzone_class_figures figures[SHMZONE_CLASSES];
	struct shmzone_root roots[2];
	struct shmzone_entry entries[4];
	struct shmzone_object objects[4];
};

union arguments {
	struct shmzone_info info;
	struct shmzone_create create;
	struct shmzone_open open;
	struct shmzone_unlink unlink;
	struct shmzone_alloc alloc;
	struct shmzone_free free;
	struct shmzone_query query;
	struct shmzone_stat stat;
	struct shmzone_class_stat class_stat;
	struct shmzone_root_get root_get;
	struct shmzone_root_set root_set;
	struct shmzone_root_list root_list;
	struct shmzone_list list;
	struct shmzone_permit permit;
	struct shmzone_reopen reopen;
	struct shmzone_set_limit set_limit;
	struct shmzone_add_seals add_seals;
	struct shmzone_get_seals get_seals;
	struct shmzone_cache_refill cache_refill;
	struct shmzone_cache_drain cache_drain;
	struct shmzone_cache_reclaim cache_reclaim;
	struct shmzone_cache_client cache_client;
	struct shmzone_cache_sync cache_sync;
	struct shmzone_give give;
	struct shmzone_offer offer;
	struct shmzone_take take;
	struct shmzone_walk walk;
	struct shmzone_link link;
	__u32 size;
	unsigned char bytes[3 * 4096];
};

static void fill_info(union arguments *args, struct targets *t)
{
	args->info.classes = to_u64(t->classes);
	args->info.class_count = SHMZONE_CLASSES;
	args->info.class_size = sizeof(struct shmzone_class);
}

static void fill_create(union arguments *args, struct targets *t)
{
	args->create.zone_bytes = MIB;
	args->create.name = to_u64(t->other_name);
	args->create.name_len = strlen(t->other_name);
	args->create.mode = 0600;
}

static void fill_open(union arguments *args, struct targets *t)
{
	args->open.name = to_u64(t->name);
	args->open.name_len = strlen(t->name);
}

static void fill_unlink(union arguments *args, struct targets *t)
{
	args->unlink.name = to_u64(t->name);
	args->unlink.name_len = strlen(t->name);
}

static void fill_alloc(union arguments *args, struct targets *t)
{
	args->alloc.bytes = 100;
	args->alloc.offsets = to_u64(t->offsets);
	args->alloc.count = 2;
}

static void fill_free(union arguments *args, struct targets *t)
{
	args->free.offsets = to_u64(&t->object);
	args->free.count = 1;
}

static void fill_query(union arguments *args, struct targets *t)
{
	args->query.offset = t->object;
}

static void fill_stat(union arguments *args, struct targets *t)
{
}

static void fill_class_stat(union arguments *args, struct targets *t)
{
	args->class_stat.figures = to_u64(t->figures);
	args->class_stat.count = SHMZONE_CLASSES;
	args->class_stat.group = SHMZONE_GROUP_ALL;
	args->class_stat.figures_size = sizeof(t->figures[0]);
}

static void fill_root_get(union arguments *args, struct targets *t)
{
	args->root_get.name = to_u64("root");
	args->root_get.name_len = 4;
}

static void fill_root_set(union arguments *args, struct targets *t)
{
	args->root_set.name = to_u64("root");
	args->root_set.name_len = 4;
	args->root_set.offset = t->object;
}

static void fill_root_list(union arguments *args, struct targets *t)
{
	args->root_list.roots = to_u64(t->roots);
	args->root_list.count = 2;
	args->root_list.root_size = sizeof(t->roots[0]);
}

static void fill_list(union arguments *args, struct targets *t)
{
	args->list.entries = to_u64(t->entries);
	args->list.count = ARRAY_SIZE(t->entries);
	args->list.entry_size = sizeof(t->entries[0]);
}

static void fill_permit(union arguments *args, struct targets *t)
{
	args->permit.flags = SHMZONE_PERMIT_MODE;
	args->permit.name = to_u64(t->name);
	args->permit.name_len = strlen(t->name);
	args->permit.mode = 0640;
}

static void fill_reopen(union arguments *args, struct targets *t)
{
}

static void fill_set_limit(union arguments *args, struct targets *t)
{
	args->set_limit.limit_bytes = MIB;
}

static void fill_add_seals(union arguments *args, struct targets *t)
{
	args->add_seals.seals = SHMZONE_SEAL_ALLOC;
}

static void fill_get_seals(union arguments *args, struct targets *t)
{
}

static void fill_cache_refill(union arguments *args, struct targets *t)
{
	args->cache_refill.size_class = 8;
}

static void fill_cache_drain(union arguments *args, struct targets *t)
{
	args->cache_drain.size_class = 8;
}

static void fill_cache_reclaim(union arguments *args, struct targets *t)
{
}

static void fill_cache_client(union arguments *args, struct targets *t)
{
}

static void fill_cache_sync(union arguments *args, struct targets *t)
{
	args->cache_sync.timeout_ns = 1000;
}

static void fill_give(union arguments *args, struct targets *t)
{
	args->give.offsets = to_u64(&t->object);
	args->give.count = 1;
}

static void fill_offer(union arguments *args, struct targets *t)
{
	args->offer.offsets = to_u64(&t->object);
	args->offer.count = 1;
}

static void fill_take(union arguments *args, struct targets *t)
{
	args->take.offsets = to_u64(&t->object);
	args->take.count = 1;
}

static void fill_link(union arguments *args, struct targets *t)
{
	args->link.offsets = to_u64(&t->object);
	args->link.count = 1;
	args->link.parent = t->parent;
}

static void fill_walk(union arguments *args, struct targets *t)
{
	args->walk.objects = to_u64(t->objects);
	args->walk.count = ARRAY_SIZE(t->objects);
	args->walk.object_size = sizeof(t->objects[0]);
}

#endif /* SHMZONE_SELFTESTS_ABI_COMMANDS_H */
