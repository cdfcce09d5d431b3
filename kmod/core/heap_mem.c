// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel memory of heaps: counted, kept in stock, and freed late enough.
 *
 * Descriptors of slabs, nodes and chunks of the page bitmap come from caches of their
 * own sizes, which all heaps share: kmalloc() would round the descriptor of a
 * slab of 8-byte slots up by three quarters. Whatever look-ups can find under
 * RCU is freed after a grace period; it is counted as freed at once, since the
 * heap may be gone by then.
 *
 * Nodes and chunks for bitmap and directory come from a stock in the heap, since they are
 * wanted under the lock. What a run lacks is allocated without the lock, and
 * then everything is looked at afresh, as other runs may have come and gone.
 */
#include "core_env.h"
#include "heap_impl.h"

/*
 * By the binary logarithm of the words in the bitmap. The number of words is
 * always a power of two, at most that of 8-byte slots in four pages.
 */
static const char *const slab_cache_name[] = {
	CORE_NAME("slab_40"), CORE_NAME("slab_48"), CORE_NAME("slab_64"),
	CORE_NAME("slab_96"), CORE_NAME("slab_160"), CORE_NAME("slab_288"),
	CORE_NAME("slab_544"), CORE_NAME("slab_1056"), CORE_NAME("slab_2080"),
	CORE_NAME("slab_4128"),
};

#define SLAB_CACHES	(PAGE_SHIFT - 12 + 6)

static_assert(4 * PAGE_SIZE / CLASS_SLOT_MIN / 64 == 1 << (SLAB_CACHES - 1));

/* The same with what they have more in heaps with owners. */
static const char *const owned_cache_name[] = {
	CORE_NAME("owned_48"), CORE_NAME("owned_56"), CORE_NAME("owned_72"),
	CORE_NAME("owned_104"), CORE_NAME("owned_168"), CORE_NAME("owned_296"),
	CORE_NAME("owned_552"), CORE_NAME("owned_1064"), CORE_NAME("owned_2088"),
	CORE_NAME("owned_4136"),
};

#define OWNED_BYTES	offsetof(struct owned_slab, slab)

static_assert(OWNED_BYTES == 8);

/* What one run can need is not freed after it and allocated for the next. */
static_assert(HEAP_STOCK >= PAGES_NODES_MAX && HEAP_STOCK >= PAGES_CHUNKS_MAX);

static struct kmem_cache *slab_cache[SLAB_CACHES];
static struct kmem_cache *owned_cache[SLAB_CACHES];
static struct kmem_cache *pages_cache[PAGES_KINDS];

static const char *const pages_cache_name[] = {
	[PAGES_CHUNK] = CORE_NAME("page_chunk"),
	[PAGES_NODE] = CORE_NAME("page_node"),
};

static size_t slab_cache_bytes(u32 i)
{
	return sizeof(struct slab) + (sizeof(u64) << i);
}

/* Which of the caches is for descriptors of a class. */
static u32 slab_cache_for(u32 class)
{
	return fls64((slab_bytes(class) - sizeof(struct slab)) / sizeof(u64)) - 1;
}

int heap_caches_create(void)
{
	u32 i;

	for (i = 0; i < PAGES_KINDS; i++) {
		pages_cache[i] = core_cache_create(pages_cache_name[i], pages_bytes(i));
		if (pages_cache[i])
			continue;
		heap_caches_destroy();
		return -ENOMEM;
	}
	for (i = 0; i < SLAB_CACHES; i++) {
		slab_cache[i] = core_cache_create(slab_cache_name[i], slab_cache_bytes(i));
		owned_cache[i] = core_cache_create(owned_cache_name[i],
						   OWNED_BYTES + slab_cache_bytes(i));
		if (slab_cache[i] && owned_cache[i])
			continue;
		heap_caches_destroy();
		return -ENOMEM;
	}
	return 0;
}

void heap_caches_destroy(void)
{
	u32 i;

	rcu_barrier();
	for (i = 0; i < SLAB_CACHES; i++) {
		core_cache_destroy(slab_cache[i]);
		slab_cache[i] = NULL;
		core_cache_destroy(owned_cache[i]);
		owned_cache[i] = NULL;
	}
	for (i = 0; i < PAGES_KINDS; i++) {
		core_cache_destroy(pages_cache[i]);
		pages_cache[i] = NULL;
	}
}

/* Counted allocation. */

static void *count(struct heap *heap, void *object, size_t bytes)
{
	if (object)
		atomic64_add(bytes, &heap->kernel_bytes);
	return object;
}

void *heap_zalloc(struct heap *heap, size_t bytes)
{
	return count(heap, core_zalloc(bytes), bytes);
}

void heap_kfree(struct heap *heap, void *object, size_t bytes)
{
	if (!object)
		return;
	atomic64_sub(bytes, &heap->kernel_bytes);
	core_free(object);
}

void heap_kfree_late(struct heap *heap, void *object, size_t bytes, bool late)
{
	if (!late || !object)
		return heap_kfree(heap, object, bytes);
	atomic64_sub(bytes, &heap->kernel_bytes);
	core_free_rcu(object);
}

struct slab *heap_slab_alloc(struct heap *heap, u32 home)
{
	u32 class = SLAB_HOME_CLASS(home), i = slab_cache_for(class);
	struct owned_slab *owned;

	if (!(home >> SLAB_OWNER_SHIFT))
		return count(heap, core_cache_zalloc(slab_cache[i]), slab_bytes(class));
	owned = count(heap, core_cache_zalloc(owned_cache[i]), OWNED_BYTES + slab_bytes(class));
	return owned ? &owned->slab : NULL;
}

static void slab_free_rcu(struct rcu_head *rcu)
{
	struct slab *slab = container_of(rcu, struct slab, rcu);
	u32 i = slab_cache_for(slab_class(slab));

	if (!slab_owner(slab)) {
		core_cache_free(slab_cache[i], slab);
		return;
	}
	core_free(owned_slab(slab)->who);
	core_cache_free(owned_cache[i], owned_slab(slab));
}

static size_t slab_bytes_of(struct slab *slab)
{
	u32 class = slab_class(slab);
	size_t bytes = slab_bytes(class);

	if (slab_owner(slab))
		bytes += OWNED_BYTES;
	if (slab_owner(slab) && owned_slab(slab)->who)
		bytes += owned_who_bytes(class_table[class].slots);
	return bytes;
}

void heap_slab_free(struct heap *heap, struct slab *slab)
{
	atomic64_sub(slab_bytes_of(slab), &heap->kernel_bytes);
	call_rcu(&slab->rcu, slab_free_rcu);
}

static void pages_object_free(struct heap *heap, enum pages_kind kind, void *object)
{
	atomic64_sub(pages_bytes(kind), &heap->kernel_bytes);
	core_cache_free(pages_cache[kind], object);
}

static void row_free(struct heap *heap, struct pages_entry *row, u32 len)
{
	if (!row)
		return;
	atomic64_sub(len * sizeof(*row), &heap->kernel_bytes);
	core_free_array(row);
}

/* Frees what is left over of a bitmap, and its rows. */
static void pages_trash_empty(struct heap *heap, struct pages_reserve *trash)
{
	enum pages_kind kind;
	void *object;

	if (pages_reserve_is_empty(trash))
		return;
	for (kind = 0; kind < PAGES_KINDS; kind++)
		while ((object = pages_next_spare(trash, kind)))
			pages_object_free(heap, kind, object);
	while ((object = pages_next_dead(trash, &kind))) {
		pages_object_free(heap, kind, object);
		cond_resched();
	}
	row_free(heap, trash->row, trash->row_len);
	row_free(heap, trash->old_row, trash->old_row_len);
	*trash = (struct pages_reserve){};
}

/* Trash. */

void heap_trash_init(struct heap_trash *trash)
{
	memset(trash, 0, sizeof(*trash));
	INIT_LIST_HEAD(&trash->surplus);
	INIT_LIST_HEAD(&trash->slabs);
	INIT_LIST_HEAD(&trash->shelves);
	INIT_LIST_HEAD(&trash->owners);
}

void heap_trash_empty(struct heap *heap, struct heap_trash *trash)
{
	struct heap_shelf *shelf;
	struct heap_owner *owner;
	struct slab *slab;
	void *node;

	while (!list_empty(&trash->slabs)) {
		slab = list_first_entry(&trash->slabs, struct slab, link);
		list_del(&slab->link);
		heap_slab_free(heap, slab);
	}
	while (!list_empty(&trash->shelves)) {
		shelf = list_first_entry(&trash->shelves, struct heap_shelf, link);
		list_del(&shelf->link);
		heap_shelf_free(heap, shelf);
		cond_resched();
	}
	while (!list_empty(&trash->owners)) {
		owner = list_first_entry(&trash->owners, struct heap_owner, link);
		list_del(&owner->link);
		heap_owner_destroy(heap, owner, true);
	}
	while ((node = dir_next_node(&trash->dir))) {
		atomic64_sub(dir_node_bytes(), &heap->kernel_bytes);
		core_free_rcu(node);
		cond_resched();
	}
	pages_trash_empty(heap, &trash->pages);
}

void heap_unlock(struct heap *heap, struct heap_trash *trash) __releases(&heap->lock)
{
	heap_stock_trim(heap, trash, HEAP_STOCK);
	core_unlock(&heap->lock);
	heap_trash_empty(heap, trash);
}

/* The stock. */

/* Moves subtrees and rows from one reserve to another, which must have none. */
static void reserve_move(struct pages_reserve *to, struct pages_reserve *from)
{
	WARN_ON_ONCE(from->dead && to->dead);
	if (from->dead)
		swap(to->dead, from->dead);
	if (likely(!from->row && !from->old_row))
		return;
	WARN_ON_ONCE(from->row && to->row);
	if (from->row) {
		swap(to->row, from->row);
		swap(to->row_len, from->row_len);
	}
	WARN_ON_ONCE(from->old_row && to->old_row);
	if (from->old_row) {
		swap(to->old_row, from->old_row);
		swap(to->old_row_len, from->old_row_len);
	}
}

void heap_stock_trim(struct heap *heap, struct heap_trash *trash, u32 keep)
{
	struct pages_reserve *stock = &heap->pages_stock;
	enum pages_kind kind;

	core_assert_held(&heap->lock);
	reserve_move(&trash->pages, stock);
	for (kind = 0; kind < PAGES_KINDS; kind++)
		while (stock->spares[kind] > keep)
			pages_add_spare(&trash->pages, kind, pages_next_spare(stock, kind));
	while (heap->dir_stock.count > keep)
		dir_add_node(&trash->dir, dir_next_node(&heap->dir_stock));
}

/* Allocates what a reserve lacks to @want. */
static int pages_stock_alloc(struct heap *heap, const struct pages_want *want,
			     struct pages_reserve *pages)
{
	enum pages_kind kind;
	void *object;

	if (want->row_len) {
		pages->row = count(heap, core_zalloc_array(want->row_len, sizeof(*pages->row)),
				   want->row_len * sizeof(*pages->row));
		if (!pages->row)
			return -ENOMEM;
		pages->row_len = want->row_len;
	}
	for (kind = 0; kind < PAGES_KINDS; kind++)
		while (pages->spares[kind] < want->objects[kind]) {
			object = count(heap, core_cache_zalloc(pages_cache[kind]),
				       pages_bytes(kind));
			if (!object)
				return -ENOMEM;
			pages_add_spare(pages, kind, object);
		}
	return 0;
}

static int dir_stock_alloc(struct heap *heap, u32 want, struct dir_reserve *dir)
{
	void *node;

	while (dir->count < want) {
		node = heap_zalloc(heap, dir_node_bytes());
		if (!node)
			return -ENOMEM;
		dir_add_node(dir, node);
	}
	return 0;
}

int heap_stock_fill(struct heap *heap, const struct pages_want *want, u32 dir_want,
		    struct heap_trash *trash) __must_hold(&heap->lock)
{
	struct heap_trash fresh;
	enum pages_kind kind;
	void *object;
	int err;

	heap_trash_init(&fresh);
	heap_unlock(heap, trash);
	err = pages_stock_alloc(heap, want, &fresh.pages) ?:
	      dir_stock_alloc(heap, dir_want, &fresh.dir);
	if (err)
		heap_trash_empty(heap, &fresh);
	core_lock(&heap->lock);

	for (kind = 0; kind < PAGES_KINDS; kind++)
		while ((object = pages_next_spare(&fresh.pages, kind)))
			pages_add_spare(&heap->pages_stock, kind, object);
	while ((object = dir_next_node(&fresh.dir)))
		dir_add_node(&heap->dir_stock, object);
	/* Nobody leaves a row in the stock, see heap_unlock(). */
	reserve_move(&heap->pages_stock, &fresh.pages);
	return err;
}
