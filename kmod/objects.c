// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of zone descriptors: ALLOC, FREE, QUERY, STAT, CLASS_STAT, and
 * in debug builds CHECK.
 *
 * A batch goes through a kernel copy of its whole array of offsets, worked on
 * in pieces that bound how long a lock of the heap is held. User memory is touched
 * before and after, never in between: the array may lie in this very zone, and
 * what a process is told must be what it got. If the answer cannot be written,
 * what was allocated for it is freed again.
 */
#include <linux/fault-inject-usercopy.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "client.h"
#include "core/heap.h"
#include "core/heap_owner.h"
#include "ioctl.h"
#include "shmzone.h"

/**
 * struct batch - the kernel's copy of an array of offsets
 * @offsets: the copy: @few, or allocated
 * @few: room for those that need not be allocated
 */
struct batch {
	u64 *offsets;
	u64 few[HEAP_BATCH_MAX];
};

static int batch_init(struct batch *batch, u32 count)
{
	batch->offsets = batch->few;
	if (count <= ARRAY_SIZE(batch->few))
		return 0;
	batch->offsets = kvmalloc_array(count, sizeof(u64), ZONE_GFP);
	return batch->offsets ? 0 : -ENOMEM;
}

static void batch_destroy(struct batch *batch)
{
	if (batch->offsets != batch->few)
		kvfree(batch->offsets);
}

/* Up to as many offsets are copied sooner than copy_from_user() has begun to. */
#define FEW	8

static bool are_few(const u64 __user *words, u32 count)
{
	return count <= FEW && IS_ALIGNED((unsigned long)words, sizeof(*words));
}

/* Gets what the caller names into the batch. */
static int batch_get(struct batch *batch, u64 from, u32 count)
{
	const u64 __user *words = u64_to_user_ptr(from);
	u32 i;

	if (!are_few(words, count))
		return copy_from_user(batch->offsets, words, count * sizeof(u64)) ? -EFAULT : 0;
	if (should_fail_usercopy() || !user_read_access_begin(words, count * sizeof(u64)))
		return -EFAULT;
	for (i = 0; i < count; i++)
		unsafe_get_user(batch->offsets[i], &words[i], fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/* Tells the caller the first @count of the batch. */
static int batch_tell(const struct batch *batch, u64 to, u32 count)
{
	u64 __user *words = u64_to_user_ptr(to);

	if (!are_few(words, count))
		return copy_to_user(words, batch->offsets, count * sizeof(u64)) ? -EFAULT : 0;
	return words_to_user(words, batch->offsets, count);
}

static u32 piece(u32 count, u32 done)
{
	return min_t(u32, count - done, HEAP_BATCH_MAX);
}

/*
 * Who the caller is to the heap. Returns a client, with a reference, or NULL where
 * there are no owners, or if it is none.
 */
static struct client *object_owner(struct shmzone *zone)
{
	return zone_is(zone, SHMZONE_CREATE_OWNED) ? client_find(zone) : NULL;
}

/**
 * alloc_take_back() - undo an allocation nobody was told of
 * @zone: the zone
 * @request: what was wanted
 * @first: index of the first offset to be taken back
 * @count: how many
 */
void alloc_take_back(struct shmzone *zone, const struct zone_request *request,
		     u32 first, u32 count)
{
	const u64 *offsets = request->offsets + first;
	u32 done = 0;

	while (done < count) {
		u32 n = piece(count, done);
		bool foreign;
		u32 bad;

		/* Nothing is refused, unless others free what they never got. */
		heap_owned_free(zone->heap, request->req->owner, offsets + done,
				n, 0, &bad, &foreign);
		done += n;
	}
	zone_age_soon(zone);
	zone_wake(zone);
}

/* Tells the caller how many there are, and nothing that it knows. */
static __always_inline int alloc_respond(const struct ucmd *ucmd, u32 count)
{
	struct shmzone_alloc __user *to = ucmd->ubuf;

	if (!user_write_access_begin(to, SHMZONE_ALLOC_SIZE_VER0))
		return -EFAULT;
	unsafe_put_user(count, &to->out_count, fault);
	unsafe_put_user(0, &to->__out_reserved, fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

static int check_alloc(const struct shmzone_alloc *alloc)
{
	if (alloc->__reserved)
		return -EOPNOTSUPP;
	if (!alloc->bytes)
		return -EINVAL;
	if (!alloc->count || alloc->count > SHMZONE_BATCH_MAX)
		return -EINVAL;
	if (alloc->align && (!is_power_of_2(alloc->align) ||
			     alloc->align > PAGE_SIZE))
		return -EINVAL;
	if (alloc->group >= SHMZONE_GROUPS)
		return -EINVAL;
	if (alloc->timeout_ns && !(alloc->flags & SHMZONE_ALLOC_WAIT))
		return -EINVAL;
	return 0;
}

/* Allocate as a client or none, and tell the offsets, or take them back. */
static __always_inline int alloc_and_tell(struct ucmd *ucmd, struct client *client)
{
	const struct shmzone_alloc *alloc = ucmd->cmd;
	struct shmzone *zone = ucmd->zone;
	struct batch batch core_uncleared;
	struct heap_request req = {
		.bytes = alloc->bytes,
		.align = alloc->align,
		.group = array_index_nospec(alloc->group, SHMZONE_GROUPS),
		.hint = current->pid,
		.owner = client ? client->owner : NULL,
	};
	struct zone_request request = {
		.req = &req,
		.count = alloc->count,
		.enough = alloc->count,
		.client = client,
	};
	int ret;

	ret = batch_init(&batch, alloc->count);
	if (ret) {
		heap_note_failed(zone->heap, &req, alloc->count);
		return ret;
	}
	request.offsets = batch.offsets;
	if (alloc->flags & SHMZONE_ALLOC_WAIT)
		ret = zone_alloc_wait(zone, &request, alloc->timeout_ns);
	else
		ret = zone_alloc(zone, &request);
	if (ret > 0) {
		u32 count = ret;

		ret = batch_tell(&batch, alloc->offsets, count) ?:
			      alloc_respond(ucmd, count);
		if (ret)
			alloc_take_back(zone, &request, 0, count);
	}
	batch_destroy(&batch);
	return ret;
}

long alloc_ioctl(struct ucmd *ucmd)
{
	const struct shmzone_alloc *alloc = ucmd->cmd;
	struct client *client;
	int ret;

	ret = check_alloc(alloc);
	if (ret)
		return ret;
	if (zone_is_sealed(ucmd->zone, SHMZONE_SEAL_ALLOC))
		return -EPERM;
	/* Find out now, rather than after the work, what cannot be written. */
	ret = alloc_respond(ucmd, 0);
	if (ret)
		return ret;

	ucmd->examined = true;
	client = object_owner(ucmd->zone);
	if (!client && zone_is(ucmd->zone, SHMZONE_CREATE_OWNED))
		return -ENXIO;
	ret = alloc_and_tell(ucmd, client);
	if (client)
		client_put(client);
	return ret;
}

/* Tells the caller what became of it, and nothing that it knows. */
static __always_inline int free_respond(const struct ucmd *ucmd)
{
	struct shmzone_free __user *to = ucmd->ubuf;
	const struct shmzone_free *free = ucmd->cmd;

	if (!user_write_access_begin(to, SHMZONE_FREE_SIZE_VER0))
		return -EFAULT;
	unsafe_put_user(free->out_count, &to->out_count, fault);
	unsafe_put_user(free->out_bad, &to->out_bad, fault);
	unsafe_put_user(free->out_error, &to->out_error, fault);
	unsafe_put_user(0, &to->__out_reserved, fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

static int check_free(const struct shmzone_free *free)
{
	if (free->__reserved)
		return -EOPNOTSUPP;
	if (!free->count || free->count > SHMZONE_BATCH_MAX)
		return -EINVAL;
	return 0;
}

/* @client: who frees, if the zone is an owned one */
static u32 free_piece(struct shmzone *zone, struct client *client,
		      const u64 *offsets, u32 n, u64 bytes, u32 *bad, bool *foreign)
{
	if (client && client_checks(client))
		return client_free_objects(client, offsets, n, bytes, bad, foreign);
	return heap_owned_free(zone->heap, client ? client->owner : NULL, offsets,
			       n, bytes, bad, foreign);
}

/* Free what can be freed, and tell what was refused first. */
static void free_batch(struct shmzone *zone, struct client *client,
		       const u64 *offsets, struct shmzone_free *free)
{
	bool foreign;
	u32 done = 0;

	free->out_bad = free->count;
	for (;;) {
		u32 n = piece(free->count, done);
		u32 bad;

		free->out_count += free_piece(zone, client, offsets + done, n,
					      free->bytes, &bad, &foreign);
		if (bad < n && !free->out_error) {
			free->out_bad = done + bad;
			free->out_error = foreign ? EPERM : EINVAL;
		}
		done += n;
		if (done == free->count)
			return;
		if (fatal_signal_pending(current)) {
			free->out_bad = min(free->out_bad, done);
			free->out_error = EINTR;
			return;
		}
		cond_resched();
	}
}

/*
 * What goes with that, and with what others have freed as the same owner and did not
 * come to. If the caller is killed, the periodic work does. Returns whether there was any.
 */
static bool free_orphans(struct shmzone *zone, const struct client *client)
{
	const struct heap_owner *owner = client ? client->owner : NULL;
	bool any = false;

	while (heap_free_orphans(zone->heap, owner)) {
		any = true;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return any;
}

long free_ioctl(struct ucmd *ucmd)
{
	struct shmzone_free *free = ucmd->cmd;
	struct batch batch core_uncleared;
	struct client *client;
	bool orphans;
	int ret;

	ret = check_free(free);
	if (ret)
		return ret;
	free->out_count = 0;
	free->out_bad = 0;
	free->out_error = 0;
	/* Frees cannot be undone: the answer must be writable beforehand. */
	ret = free_respond(ucmd);
	if (ret)
		return ret;
	ret = batch_init(&batch, free->count);
	if (ret) {
		ucmd->examined = true;
		return ret;
	}
	ret = batch_get(&batch, free->offsets, free->count);
	if (ret)
		goto out;

	ucmd->examined = true;
	ucmd->judged = true;
	client = object_owner(ucmd->zone);
	free_batch(ucmd->zone, client, batch.offsets, free);
	orphans = zone_is(ucmd->zone, SHMZONE_CREATE_OWNED) && free_orphans(ucmd->zone, client);
	if (client)
		client_put(client);
	zone_age_soon(ucmd->zone);
	if (free->out_count || orphans)
		zone_wake(ucmd->zone);
	ret = free->out_count ? 0 : -(int)free->out_error;
	if (free_respond(ucmd))
		ret = -EFAULT;
out:
	batch_destroy(&batch);
	return ret;
}

long query_ioctl(struct ucmd *ucmd)
{
	struct shmzone_query *query = ucmd->cmd;
	struct heap_object object;
	int ret;

	ucmd->examined = true;
	ret = heap_find(ucmd->zone->heap, query->offset, &object);
	if (ret)
		return ret;
	query->out_bytes = object.bytes;
	query->out_class = object.class;
	query->out_group = object.group;
	query->out_owner = object.owner;
	return ucmd_respond(ucmd);
}

long stat_ioctl(struct ucmd *ucmd)
{
	struct shmzone_stat *stat = ucmd->cmd;
	struct shmzone *zone = ucmd->zone;
	struct cache_figures cached;
	struct heap_stat heap;

	heap_get_stat(zone->heap, &heap);
	zone_count_caches(zone, &cached);
	*stat = (struct shmzone_stat) {
		.size = stat->size,
		.out_id = zone->id,
		.out_zone_bytes = zone->bytes,
		.out_limit_bytes = heap.limit_pages << PAGE_SHIFT,
		.out_taken_bytes = heap.taken_pages << PAGE_SHIFT,
		.out_live_bytes = heap.live_bytes,
		.out_live_objects = heap.live_objects,
		.out_slabs = heap.slabs,
		.out_spans = heap.spans,
		.out_resident_bytes = zone_resident_bytes(zone),
		.out_swapped_bytes = zone_swapped_bytes(zone),
		.out_kernel_bytes = heap.kernel_bytes +
				    pagemap_kernel_bytes(&zone->map) +
				    roots_kernel_bytes(&zone->roots) +
				    atomic64_read(&zone->clients.kernel_bytes),
		.out_requests = heap.requests,
		.out_failures = heap.failures,
		.out_frees = heap.frees,
		.out_bad_outside = heap.refused[HEAP_BAD_OUTSIDE],
		.out_bad_misaligned = heap.refused[HEAP_BAD_MISALIGNED],
		.out_bad_interior = heap.refused[HEAP_BAD_INTERIOR],
		.out_bad_not_live = heap.refused[HEAP_BAD_NOT_LIVE],
		.out_bad_bytes = heap.refused[HEAP_BAD_BYTES],
		.out_refused_calls = atomic64_read(&zone->refused_calls),
		.out_kind = zone->kind,
		.out_cached_bytes = cached.bytes,
		.out_cached_objects = cached.slots,
		.out_caches = atomic64_read(&zone->clients.caches),
		.out_revocations = atomic64_read(&zone->clients.revocations),
		.out_bad_bins = atomic64_read(&zone->clients.bad_bins),
		.out_bad_owner = heap.refused[HEAP_BAD_OWNER],
	};
	return ucmd_respond(ucmd);
}

static int check_class_stat(const struct shmzone_class_stat *cs)
{
	if (!cs->count || cs->first_class >= CLASS_COUNT)
		return -EINVAL;
	if (cs->group >= SHMZONE_GROUPS && cs->group != SHMZONE_GROUP_ALL)
		return -EINVAL;
	if (cs->figures_size < offsetofend(struct shmzone_class_figures, frees))
		return -EINVAL;
	if (cs->figures_size > PAGE_SIZE)
		return -E2BIG;
	return 0;
}

long class_stat_ioctl(struct ucmd *ucmd)
{
	struct shmzone_class_stat *cs = ucmd->cmd;
	void __user *to = u64_to_user_ptr(cs->figures);
	u32 group, i;
	int ret;

	ret = check_class_stat(cs);
	if (ret)
		return ret;
	group = cs->group == SHMZONE_GROUP_ALL ? CLASS_GROUPS :
		array_index_nospec(cs->group, SHMZONE_GROUPS);
	cs->first_class = array_index_nospec(cs->first_class, CLASS_COUNT);
	cs->out_count = min_t(u32, cs->count, CLASS_COUNT - cs->first_class);
	cs->__out_reserved = 0;
	for (i = 0; i < cs->out_count; i++) {
		struct heap_class_stat heap;
		struct shmzone_class_figures row;

		heap_get_class_stat(ucmd->zone->heap, cs->first_class + i,
				    group, &heap);
		row = (struct shmzone_class_figures) {
			.slabs = heap.slabs,
			.total = heap.total,
			.used = heap.used,
			.requests = heap.requests,
			.failures = heap.failures,
			.frees = heap.frees,
		};
		if (copy_struct_to_user(to, cs->figures_size, &row, sizeof(row),
					NULL))
			return -EFAULT;
		to += cs->figures_size;
		/* A row takes long where there are many owners. */
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return ucmd_respond(ucmd);
}

#ifdef SHMZONE_DEBUG
long check_ioctl(struct ucmd *ucmd)
{
	struct shmzone_check *check = ucmd->cmd;
	const char *error;

	error = heap_check(ucmd->zone->heap);
	memset(check->out_text, 0, sizeof(check->out_text));
	if (error)
		strscpy(check->out_text, error, sizeof(check->out_text));
	return ucmd_respond(ucmd);
}
#endif
