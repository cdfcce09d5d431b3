// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's memory of a cache: how it begins and ends, and its pages, which are
 * allocated as they are needed and stay until the cache ends. The client is charged.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "client.h"
#include "core/heap_owner.h"
#include "shmzone.h"

/* What the page map has for slabs of group 0, with 0 for class and tag. */
#define CACHE_PAGE_ENTRY ((u32)SHMZONE_KIND_SLAB << 10)
#define TAG_SHIFT 12

static void *page_alloc(struct client *client)
{
	struct page *page;
	int ret = client_charge(client, PAGE_SIZE);

	if (ret)
		return ERR_PTR(ret);
	page = alloc_page(ZONE_GFP | __GFP_ZERO);
	if (page)
		return page_address(page);
	client_uncharge(client, PAGE_SIZE);
	return ERR_PTR(-ENOMEM);
}

/* Somebody may still have it mapped, or pinned. */
static void page_free(struct client *client, void *address)
{
	put_page(virt_to_page(address));
	client_uncharge(client, PAGE_SIZE);
}

/**
 * cache_create() - make a cache
 * @client: whose
 * @index: which
 *
 * Return: the cache, which is empty, or an ERR_PTR(): -ENOMEM or -EDQUOT.
 */
struct cache *cache_create(struct client *client, u32 index)
{
	struct cache *cache;
	void *head;
	int ret = client_charge(client, sizeof(*cache));

	if (ret)
		return ERR_PTR(ret);
	cache = kzalloc(sizeof(*cache), ZONE_GFP);
	head = cache ? page_alloc(client) : ERR_PTR(-ENOMEM);
	if (IS_ERR(head)) {
		kfree(cache);
		client_uncharge(client, sizeof(*cache));
		return head;
	}
	cache->m.page[0] = head;
	mutex_init(&cache->lock);
	cache->client = client;
	cache->index = index;
	atomic64_inc(&client->zone->clients.caches);
	return cache;
}

/* What the page map has for slabs of group 0 whose slots the cache may hold. */
static u32 page_entry(const struct cache *cache)
{
	const struct heap_owner *owner = cache->client->owner;

	return CACHE_PAGE_ENTRY | (owner ? heap_owner_tag(owner) << TAG_SHIFT : 0);
}

/**
 * cache_set_up() - let the thread use a cache that was not yet, or that it says was not
 * @cache: the cache; its lock is held
 */
void cache_set_up(struct cache *cache)
{
	lockdep_assert_held(&cache->lock);
	if (!cache->ready)
		magazines_init(&cache->m, page_entry(cache),
			       client_checks(cache->client));
	magazines_show_key(&cache->m);
	cache->ready = true;
}

/**
 * cache_destroy() - free a cache
 * @cache: the cache, which is empty, and which nobody can find
 */
void cache_destroy(struct cache *cache)
{
	struct client *client = cache->client;
	u32 i;

	for (i = 0; i < MAGAZINE_PAGES; i++)
		if (cache->m.page[i])
			page_free(client, cache->m.page[i]);
	put_pid(cache->thread);
	atomic64_dec(&client->zone->clients.caches);
	kfree(cache);
	client_uncharge(client, sizeof(*cache));
}

/**
 * cache_add_page() - see to it that a cache has a page
 * @cache: the cache; its lock is not held
 * @i: which
 *
 * Return: 0, -ENOMEM or -EDQUOT.
 */
int cache_add_page(struct cache *cache, u32 i)
{
	void *new = page_alloc(cache->client);

	if (IS_ERR(new))
		return PTR_ERR(new);
	mutex_lock(&cache->lock);
	if (!cache->m.page[i]) {
		cache->m.page[i] = new;
		new = NULL;
	}
	mutex_unlock(&cache->lock);
	if (new)
		page_free(cache->client, new);
	return 0;
}

/**
 * cache_lock_page() - a page of a cache, to be mapped
 * @cache: the cache
 * @i: which
 *
 * Return: the page, locked and with a reference, or NULL if there can be none.
 */
struct page *cache_lock_page(struct cache *cache, u32 i)
{
	struct page *page;

	mutex_lock(&cache->lock);
	while (!cache->m.page[i]) {
		mutex_unlock(&cache->lock);
		if (cache_add_page(cache, i))
			return NULL;
		mutex_lock(&cache->lock);
	}
	page = virt_to_page(cache->m.page[i]);
	get_page(page);
	lock_page(page);
	mutex_unlock(&cache->lock);
	cache_linger();
	return page;
}
