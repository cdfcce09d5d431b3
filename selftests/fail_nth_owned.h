/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The steps of fail_nth.c in owned and checked zones.
 */
#ifndef SHMZONE_SELFTESTS_FAIL_NTH_OWNED_H
#define SHMZONE_SELFTESTS_FAIL_NTH_OWNED_H

#include "fail_nth_steps.h"

#define LONG_NS		60000000000ULL
#define CHECKED		(SHMZONE_CREATE_OWNED | SHMZONE_CREATE_CHECKED)

static int create_checked_zone(struct scene *scene)
{
	scene->made = _try_create_kind(scene->control, CHECKED, ZONE_BYTES, 0);
	return scene->made;
}

static int make_owned(struct scene *scene)
{
	scene->owned = true;
	return make_kind(scene, SHMZONE_CREATE_OWNED);
}

static int make_checked(struct scene *scene)
{
	scene->owned = true;
	return make_kind(scene, CHECKED);
}

/* Touched, so that there is nothing left to be made for the caller but in the heap. */
static int become_client(struct scene *scene, int ret)
{
	ret = ret < 0 ? ret : map_caches_for_slots(scene);
	return ret < 0 ? ret : touch_cache(scene);
}

static int make_owned_client(struct scene *scene)
{
	return become_client(scene, make_owned(scene));
}

static int make_checked_client(struct scene *scene)
{
	return become_client(scene, make_checked(scene));
}

static int map_owned_caches(struct scene *scene)
{
	int ret = make_owned(scene);

	return ret < 0 ? ret : map_caches_afar(scene);
}

/* What is left of it is freed when its owner has gone. */
static void free_and_unmap(struct scene *scene)
{
	long client = _try_client(scene->zone);

	_try_free_all(scene->zone, scene->offsets, scene->made);
	unmap(scene);
	_try_sync(scene->zone, client, LONG_NS);
}

static int own_slots(struct scene *scene)
{
	int ret = make_owned_client(scene);

	if (ret < 0)
		return ret;
	scene->made = _try_alloc(scene->zone, 100, 2, scene->offsets);
	return scene->made;
}

static int own_spans(struct scene *scene)
{
	int ret = make_owned_client(scene);

	if (ret < 0)
		return ret;
	scene->made = _try_alloc(scene->zone, 10 * page_bytes(), 2, scene->offsets);
	return scene->made;
}

static __u64 owner_of_made(const struct scene *scene)
{
	struct shmzone_query query;

	return _try_query(scene->zone, scene->offsets[0], &query) ? ~0ULL : query.out_owner;
}

/* What was done remains so, even if that could not be told. */
static int change_owner(struct scene *scene, unsigned long cmd)
{
	__u64 before = owner_of_made(scene);
	int ret = _try_handover(scene->zone, cmd, scene->offsets[0], 0);

	return ret == -EFAULT && owner_of_made(scene) != before ? 0 : ret;
}

static int give_made(struct scene *scene)
{
	return change_owner(scene, SHMZONE_GIVE);
}

static int take_made(struct scene *scene)
{
	return change_owner(scene, SHMZONE_TAKE);
}

static int offer_made(struct scene *scene)
{
	return _try_handover(scene->zone, SHMZONE_OFFER, scene->offsets[0], 0);
}

static int link_made(struct scene *scene)
{
	int ret = _try_handover(scene->zone, SHMZONE_LINK, scene->offsets[0],
				scene->offsets[1]);

	/* Already. */
	return ret == -EBUSY ? 0 : ret;
}

static int unlink_made(struct scene *scene)
{
	int ret = _try_handover(scene->zone, SHMZONE_LINK, scene->offsets[0], 0);

	return ret == -EINVAL ? 0 : ret;
}

static int own_given_slots(struct scene *scene)
{
	int ret = own_slots(scene);

	return ret < 0 ? ret : give_made(scene);
}

static int own_linked_slots(struct scene *scene)
{
	int ret = own_slots(scene);

	return ret < 0 ? ret : link_made(scene);
}

static int own_linked_spans(struct scene *scene)
{
	int ret = own_spans(scene);

	return ret < 0 ? ret : link_made(scene);
}

static int free_parent(struct scene *scene)
{
	int ret = _try_free_at(scene->zone, scene->offsets[1]);
	struct shmzone_stat stat;

	if (ret == -EFAULT && !_try_stat(scene->zone, &stat) && !stat.out_live_objects)
		return 0;
	return ret;
}

static int walk_over_made(struct scene *scene)
{
	struct shmzone_object objects[4];
	struct shmzone_walk args = {
		SIZED(shmzone_walk), .objects = to_u64(objects), .count = 4,
		.object_size = sizeof(objects[0]),
	};

	return _try_call(scene->zone, SHMZONE_WALK, &args);
}

static int make_checked_client_batch(struct scene *scene)
{
	int ret = make_checked_client(scene);

	return ret < 0 ? ret : alloc_batch(scene);
}

/* All that waits to be freed in a checked zone. */
static int make_pending(struct scene *scene)
{
	int i, error, ret = make_checked_client(scene);

	for (i = 0; i < 20 && ret >= 0; i++) {
		scene->offsets[i] = cache_alloc(scene->zone, (void *)scene->map, 0,
						scene->class, &error);
		ret = scene->offsets[i] ? 0 : error;
	}
	for (i = 0; i < 20 && ret >= 0; i++)
		ret = cache_free(scene->zone, (void *)scene->map, 0, scene->class,
				 scene->offsets[i]);
	scene->cached = cached(scene);
	return ret;
}

#endif /* SHMZONE_SELFTESTS_FAIL_NTH_OWNED_H */
