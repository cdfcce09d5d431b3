/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the model's own files share: model.c has its state and compares it,
 * model_ops.c chooses operations and predicts what they do, model_owners.c those
 * on owners, model_caches.c those on caches.
 */
#ifndef SHMZONE_MODEL_IMPL_H
#define SHMZONE_MODEL_IMPL_H

#include "model.h"
#include "../../kmod/core/heap.h"
#include "../../kmod/core/heap_owner.h"
#include "../../kmod/core/magazine.h"
#include "../../kmod/core/pages.h"
#include "../../kmod/tests/cases.h"

#define MODEL_RUNS	600	/* beyond this, nothing is allocated */
#define MODEL_RECENT	32
#define MODEL_DIRTY	8192
#define NO_PAGE		(~0ULL)
#define MODEL_OWNERS	5
#define MODEL_CACHES	3
#define NOBODY		0	/* an owner is an index + 1 */
#define ORPHAN		(~0ULL)	/* tied to what was freed */

/* What a slot is that is not free. */
enum {
	TAKEN = 1,
	LIES,		/* in a cache; only if the threads are not hostile */
};

/* A slab or span. */
struct model_run {
	u64 first;
	u64 n;
	u32 class;
	u32 group;
	u32 live;	/* objects: for a span 0 or 1 */
	u32 owner;	/* whose slab it is, or was allocated for */
	bool mixed;
	bool left;	/* of an owner that has ended */
	u8 *taken;	/* a byte a slot: 0, or one of these */
	u8 *who;	/* a byte a slot that is taken: whose it is */
	u8 *offered;	/* the same: 1 if it is on offer */
	u64 *parent;	/* the same: what it is tied to, or 0 */
};

/* An object in the model. */
struct model_object {
	struct model_run *run;
	u32 slot;
};

/* A bin of a cache. */
struct model_bin {
	u32 class;
	u32 group;
	u32 first;	/* its first word */
	u32 room;
	u32 capacity;
};

/**
 * struct model_cache - a cache
 * @m: what the kernel knows of it, with the memory that is shared
 * @owner: whose slots are in it
 * @checked: it has a bin for what is freed
 * @key: what its thread has for a key when not at work
 * @class: the class that it is used for at the moment
 * @group: and the group
 * @bins: as in @m, as they should be
 * @words: the same
 * @wrong: the same
 * @bin: the same
 * @image: its memory as it should be, also where there is no page yet
 */
struct model_cache {
	struct magazines m;
	u32 owner;
	bool checked;
	u32 key;
	u32 class;
	u32 group;
	u32 bins;
	u32 words;
	u64 wrong;
	struct model_bin bin[MAGAZINE_BINS];
	u64 image[MAGAZINE_CACHE_BYTES / sizeof(u64)];
};

/**
 * struct model - the model
 * @heap: the heap
 * @pages: pages in the heap
 * @limit: its limit
 * @run: runs in address order
 * @runs: how many
 * @wanted: class and length of the run that the heap may reserve now
 * @prepared: first page of the run that was prepared last
 * @releases: runs that end have to be released
 * @ended: pages of the run that has ended and not been released, 0 for none
 * @ended_first: its first page
 * @prepare_fails: what prepare answers
 * @error: what a callback complains of
 * @stat: figures as they should be
 * @class_stat: by class and group; only requests, failures and frees
 * @recent: offsets freed lately
 * @owned: the heap has owners
 * @owner: these, NULL for those that are not there
 * @id: what they are called
 * @ids: how many there were
 * @links: objects that are tied to others
 * @parent: what each owner tied something to last
 * @got: what the last request got
 * @gots: how many of them
 * @hostile: threads write into their caches what they like
 * @cache: caches, NULL for those that are not there
 * @remarks_freely: what is marked anew now is checked by its tag alone
 * @remarked: a mark that has to come, 0 for none
 * @dirty: a byte a page, set once the page may hold memory; only for heaps of up
 *         to MODEL_DIRTY pages
 */
struct model {
	struct heap *heap;
	u64 pages;
	u64 limit;
	struct model_run run[MODEL_RUNS + 2 * HEAP_BATCH_MAX];
	u32 runs;
	struct {
		u32 class;
		u32 owner;
		u64 n;
	} wanted;
	u64 prepared;
	bool releases;
	u64 ended;
	u64 ended_first;
	int prepare_fails;
	const char *error;
	struct heap_stat stat;
	struct heap_class_stat class_stat[CLASS_GROUPS][CLASS_COUNT];
	u64 recent[MODEL_RECENT];
	u32 recents;
	bool owned;
	struct heap_owner *owner[MODEL_OWNERS + 1];
	u64 id[MODEL_OWNERS + 1];
	u64 ids;
	u32 links;
	u64 parent[MODEL_OWNERS + 1];
	u64 got[HEAP_BATCH_MAX + 1];
	u32 gots;
	bool hostile;
	struct model_cache *cache[MODEL_CACHES];
	bool remarks_freely;
	u32 remarked;
	u8 dirty[MODEL_DIRTY];
};

/* The run that a page belongs to, or NULL. */
struct model_run *model_run_at(struct model *model, u64 page);

/* Where a run of @n pages would have to go, or %NO_PAGE. */
u64 model_lowest_fit(const struct model *model, u64 n);

/* Bytes of a slot or span, number of slots, and where one is. */
u64 model_slot_bytes(const struct model_run *run);
u32 model_slots(const struct model_run *run);
u64 model_slot_offset(const struct model_run *run, u32 slot);

/* Says that pages may hold memory from now on. */
void model_dirty(struct model *model, u64 first, u64 n);

/*
 * Every span without its object must be gone, and at most one empty slab held
 * by a shard; none after a trim.
 */
const char *model_check_released(const struct model *model, bool trimmed);

/* The object that starts at an offset. Returns false if none is live there. */
bool model_object_at(struct model *model, u64 offset, struct model_object *object);

/* Who owns an object: of one that is tied to another, who owns that. */
u32 model_who(struct model *model, const struct model_object *object);

/* Whether something is tied to an object. */
bool model_has_children(const struct model *model, u64 offset);

/* Says that an object is free, and what is tied to it. */
void model_note_free(struct model *model, u64 offset);

/* The mark that a run has to have. */
u32 model_mark_of(const struct model *model, const struct model_run *run);

u64 model_choose(struct model_source *source, u64 bound);
u64 model_choose_offset(struct model *model, struct model_source *source);

/* Allocates objects, which @model->got has afterwards. */
const char *model_alloc(struct model *model, const struct heap_request *request, u32 n);

/* Frees by an owner, or nobody. */
const char *model_free_batch(struct model *model, u32 freer, const u64 *offsets, u32 n,
			     u64 bytes);

/* model_caches.c */

const char *model_step_caches(struct model *model, struct model_source *source);
const char *model_check_caches(struct model *model);

/* An offset, or 0 if it lies in a cache of a thread that is not hostile. */
u64 model_leave_alone(struct model *model, u64 offset);

/* Caches of an owner end; if it @forgets what is in them, that is not freed before. */
const char *model_end_caches(struct model *model, u32 owner, bool forgets);
void model_free_caches(struct model *model);

/* model_owners.c */

/* An owner that is there, or %NOBODY. */
u32 model_choose_owner(struct model *model, struct model_source *source);
const char *model_step_owners(struct model *model, struct model_source *source);
const char *model_end_owners(struct model *model);

/* Frees one live object, with all checks. */
const char *model_free_one(struct model *model, u64 offset);

#endif /* SHMZONE_MODEL_IMPL_H */
