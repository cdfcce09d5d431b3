// SPDX-License-Identifier: GPL-2.0
/*
 * The commands about caches: CACHE_REFILL, CACHE_DRAIN, CACHE_RECLAIM,
 * CACHE_CLIENT, CACHE_SYNC.
 */
#include <linux/mm.h>
#include <linux/nospec.h>

#include "client.h"
#include "ioctl.h"
#include "shmzone.h"

static int check_bin(u32 class, u32 group, u32 reserved)
{
	if (reserved)
		return -EOPNOTSUPP;
	if (class == SHMZONE_CLASS_SPAN || class >= SHMZONE_CLASSES ||
	    group >= SHMZONE_GROUPS)
		return -EINVAL;
	return 0;
}

/* A cache of the caller, and its client with a reference; or an errno. */
static int find_cache(struct shmzone *zone, u32 index, struct client **client,
		      struct cache **cache)
{
	int ret = -ENXIO;

	*client = client_find(zone);
	if (!*client)
		return ret;
	if (index < (*client)->count) {
		index = array_index_nospec(index, (*client)->count);
		*cache = client_cache(*client, index);
		ret = PTR_ERR_OR_ZERO(*cache);
	}
	if (ret)
		client_put(*client);
	return ret;
}

long cache_refill_ioctl(struct ucmd *ucmd)
{
	struct shmzone_cache_refill *refill = ucmd->cmd;
	struct client *client;
	struct cache *cache;
	u32 class, group;
	int ret;

	ret = check_bin(refill->size_class, refill->group, refill->__reserved);
	if (ret)
		return ret;
	if (zone_is_sealed(ucmd->zone, SHMZONE_SEAL_ALLOC))
		return -EPERM;
	refill->out_bin = 0;
	refill->out_count = 0;
	/* Find out now, rather than after the work, what cannot be written. */
	ret = ucmd_respond(ucmd);
	if (ret)
		return ret;
	ucmd->examined = true;
	class = array_index_nospec(refill->size_class, SHMZONE_CLASSES);
	group = array_index_nospec(refill->group, SHMZONE_GROUPS);
	ret = find_cache(ucmd->zone, refill->cache, &client, &cache);
	if (ret)
		return ret;
	ret = cache_refill(cache, class, group, &refill->out_bin,
			   &refill->out_count);
	client_put(client);
	/* The cache has the slots, whether this can still be told or not. */
	return ret ?: ucmd_respond(ucmd);
}

long cache_drain_ioctl(struct ucmd *ucmd)
{
	struct shmzone_cache_drain *drain = ucmd->cmd;
	bool all = drain->flags & SHMZONE_CACHE_DRAIN_ALL;
	struct client *client;
	struct cache *cache;
	u32 class, group;
	int ret = 0;

	if (!all)
		ret = check_bin(drain->size_class, drain->group, drain->__reserved);
	else if (drain->__reserved)
		ret = -EOPNOTSUPP;
	else if (drain->size_class || drain->group ||
		 drain->flags & SHMZONE_CACHE_DRAIN_SHARED)
		ret = -EINVAL;
	if (ret)
		return ret;
	drain->out_bin = 0;
	drain->out_count = 0;
	drain->out_refused = 0;
	drain->out_error = 0;
	ret = ucmd_respond(ucmd);
	if (ret)
		return ret;
	ucmd->examined = true;
	class = array_index_nospec(drain->size_class, SHMZONE_CLASSES);
	group = array_index_nospec(drain->group, SHMZONE_GROUPS);
	ret = find_cache(ucmd->zone, drain->cache, &client, &cache);
	if (ret)
		return ret;
	if (all)
		ret = cache_flush(cache, &drain->out_count);
	else
		ret = cache_drain(cache, class, group,
				  drain->flags & SHMZONE_CACHE_DRAIN_SHARED,
				  &drain->out_bin, &drain->out_count);
	if (all && !ret && client_checks(client))
		drain->out_refused = cache_refused(cache, &drain->out_error);
	client_put(client);
	return ret ?: ucmd_respond(ucmd);
}

long cache_reclaim_ioctl(struct ucmd *ucmd)
{
	struct shmzone_cache_reclaim *answer = ucmd->cmd;
	struct reclaim reclaim = {};
	int ret;

	ucmd->examined = true;
	ret = zone_reclaim_all(ucmd->zone, &reclaim);
	if (ret)
		return ret;
	answer->out_caches = reclaim.caches;
	answer->out_busy = reclaim.busy;
	answer->out_count = reclaim.slots;
	return ucmd_respond(ucmd);
}

long cache_client_ioctl(struct ucmd *ucmd)
{
	struct shmzone_cache_client *answer = ucmd->cmd;
	struct client *client;

	ucmd->examined = true;
	client = client_find(ucmd->zone);
	if (!client)
		return -ENXIO;
	answer->out_client = client->id;
	client_put(client);
	return ucmd_respond(ucmd);
}

long cache_sync_ioctl(struct ucmd *ucmd)
{
	const struct shmzone_cache_sync *sync = ucmd->cmd;

	ucmd->examined = true;
	return client_sync(ucmd->zone, sync->client, sync->timeout_ns);
}
