// SPDX-License-Identifier: GPL-2.0
/*
 * Zone descriptors: what CREATE, OPEN and REOPEN return.
 *
 * /proc/PID/fdinfo/FD tells of a zone descriptor what tools want to know
 * without having it: a line "shmzone-KEY:<tab>VALUE" each, in which sizes are
 * bytes. Keys stay as they are; more may be added.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "core/heap.h"
#include "shmzone.h"

static void zone_file_free(struct zone_file *zf)
{
	if (!IS_ERR_OR_NULL(zf->data))
		fput(zf->data);
	if (!IS_ERR_OR_NULL(zf->map))
		fput(zf->map);
	zone_put(zf->zone);
	kfree(zf);
}

static int zone_release(struct inode *inode, struct file *file)
{
	zone_file_free(file->private_data);
	return 0;
}

/* A bit, and what it is called. */
struct word {
	u32 bit;
	const char *name;
};

/* The words for those bits that are set, or else @none. */
static void show_words(struct seq_file *m, u32 bits, const struct word *words,
		       int n, const char *none)
{
	const char *before = "";
	int i;

	for (i = 0; i < n; i++) {
		if (!(bits & words[i].bit))
			continue;
		seq_printf(m, "%s%s", before, words[i].name);
		before = ",";
	}
	seq_printf(m, "%s\n", *before ? "" : none);
}

static void show_kind(struct seq_file *m, const struct shmzone *zone)
{
	static const struct word kinds[] = {
		{ SHMZONE_CREATE_COMMITTED, "committed" },
		{ SHMZONE_CREATE_STRICT, "strict" },
		{ SHMZONE_CREATE_OWNED, "owned" },
		{ SHMZONE_CREATE_CHECKED, "checked" },
	};

	seq_puts(m, "shmzone-kind:\t");
	show_words(m, zone->kind, kinds, ARRAY_SIZE(kinds), "plain");
}

static void show_seals(struct seq_file *m, const struct shmzone *zone)
{
	static const struct word seals[] = {
		{ SHMZONE_SEAL_SEAL, "seal" },
		{ SHMZONE_SEAL_ALLOC, "alloc" },
		{ SHMZONE_SEAL_LIMIT, "limit" },
		{ SHMZONE_SEAL_WRITE, "write" },
	};

	seq_puts(m, "shmzone-seals:\t");
	show_words(m, READ_ONCE(zone->seals), seals, ARRAY_SIZE(seals), "");
}

static void show_bytes(struct seq_file *m, const char *key, u64 bytes)
{
	seq_printf(m, "shmzone-%s:\t%llu\n", key, bytes);
}

/* A name may hold any byte but NUL and '/', and so what would break the line. */
static void show_name(struct seq_file *m, struct shmzone *zone)
{
	const char *name = name_text(zone);

	seq_puts(m, "shmzone-name:\t");
	if (name)
		seq_escape(m, name, "\t\r\n\\");
	seq_putc(m, '\n');
}

static void zone_show_fdinfo(struct seq_file *m, struct file *file)
{
	const struct zone_file *zf = file->private_data;
	struct shmzone *zone = zf->zone;
	struct cache_figures cached;
	struct heap_stat heap;

	heap_get_stat(zone->heap, &heap);
	zone_count_caches(zone, &cached);
	seq_printf(m, "shmzone-id:\t%llu\n", zone->id);
	show_name(m, zone);
	seq_printf(m, "shmzone-rights:\t%s\n",
		   file->f_mode & FMODE_WRITE ? "rw" : "ro");
	show_kind(m, zone);
	show_seals(m, zone);
	show_bytes(m, "size", zone->bytes);
	show_bytes(m, "limit", heap.limit_pages << PAGE_SHIFT);
	show_bytes(m, "taken", heap.taken_pages << PAGE_SHIFT);
	show_bytes(m, "live", heap.live_bytes);
	show_bytes(m, "cached", cached.bytes);
	show_bytes(m, "resident", zone_resident_bytes(zone));
	show_bytes(m, "swapped", zone_swapped_bytes(zone));
}

static const struct file_operations zone_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = zone_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = zone_poll,
	.mmap = zone_mmap,
	.get_unmapped_area = zone_get_unmapped_area,
	.release = zone_release,
	.show_fdinfo = zone_show_fdinfo,
};

/*
 * /proc/PID/map_files leads some to the inodes behind mappings. They are given
 * what anonymous inodes have, and cannot be opened: ENXIO. These operations are
 * not this module's, as such an open may come after the zone and the module.
 */
static void seal_inodes(struct shmzone *zone, const struct inode *anonymous)
{
	WRITE_ONCE(file_inode(zone->data)->i_fop, anonymous->i_fop);
	WRITE_ONCE(file_inode(zone->map.file)->i_fop, anonymous->i_fop);
}

/**
 * zone_file_open() - open a zone
 * @zone: the zone
 * @write: whether for writing too
 *
 * Return: a new file with a reference of its own to the zone, or an ERR_PTR().
 */
struct file *zone_file_open(struct shmzone *zone, bool write)
{
	struct zone_file *zf;
	struct file *file;

	zf = kzalloc(sizeof(*zf), ZONE_GFP);
	if (!zf)
		return ERR_PTR(-ENOMEM);
	zf->zone = zone_get(zone);

	zf->data = mapping_open_data(zone, write);
	file = zf->data;
	if (IS_ERR(file))
		goto err_free;
	zf->map = mapping_open_map(zone);
	file = zf->map;
	if (IS_ERR(file))
		goto err_free;
	file = anon_inode_getfile("[shmzone]", &zone_fops, zf,
				  write ? O_RDWR : O_RDONLY);
	if (IS_ERR(file))
		goto err_free;
	/* Nothing can be mapped before there is a descriptor. */
	seal_inodes(zone, file_inode(file));
	return file;

err_free:
	zone_file_free(zf);
	return file;
}
EXPORT_SYMBOL_IF_KUNIT(zone_file_open);
