// SPDX-License-Identifier: GPL-2.0
/*
 * What users are charged for: zones, the bytes that their limits promise,
 * clients, and the kernel's memory for those.
 *
 * Each user has four ceilings, so that nobody can promise or pin without bound
 * what the machine has not got. They are the same for all users, and root and
 * others with CAP_SYS_RESOURCE in the initial user namespace pass them, but are
 * counted too. A user is the real uid, as the initial user namespace numbers it,
 * of who created the zone; neither another user namespace nor handing the zone
 * on makes a difference.
 *
 * The ceilings are on promises. The memory itself is bounded, and charged to
 * those who use it, by memory cgroups; that is why the ceiling on bytes is by
 * default as high as the largest zone.
 *
 * Clients, which are processes with caches, count against the real user of the
 * process that maps them, or of the child that has inherited the mapping. What
 * they and their caches take of the kernel's memory, which cannot be swapped, is
 * bounded as well, since each of them may ask for as much as 512 MiB, which is what a
 * user may have by default.
 *
 * A client of an owned zone counts until nothing is left that it owned, nor a slab
 * of it on which others have something.
 *
 * An account exists as long as a zone or client is charged to it. Bytes are counted in
 * pages, of which no number of zones can make too many for a u64.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "shmzone.h"

static unsigned int user_zones_max = 1024;
module_param(user_zones_max, uint, 0644);
MODULE_PARM_DESC(user_zones_max, "Zones that a user may have (1024)");

static unsigned long long user_bytes_max = ZONE_BYTES_MAX;
module_param(user_bytes_max, ullong, 0644);
MODULE_PARM_DESC(user_bytes_max,
		 "Bytes that the limits of a user's zones may add up to (the size of the largest zone)");

static unsigned int user_clients_max = 16384;
module_param(user_clients_max, uint, 0644);
MODULE_PARM_DESC(user_clients_max,
		 "Clients of zones, which are processes with caches, that a user may be (16384)");

static unsigned long long user_cache_bytes_max = 512ULL << 20;
module_param(user_cache_bytes_max, ullong, 0644);
MODULE_PARM_DESC(user_cache_bytes_max,
		 "Bytes of the kernel's memory that caches of a user's clients may take (512 MiB)");

/**
 * struct user_account - what one user is charged for
 * @node: link in accounts, by @uid
 * @uid: the user
 * @refs: zones and clients charged, or about to be
 * @zones: zones charged
 * @clients: clients charged
 * @pages: pages charged for all zones
 * @cache_bytes: bytes charged for all clients
 *
 * Protected by users_lock; @uid never changes.
 */
struct user_account {
	struct hlist_node node;
	kuid_t uid;
	u64 refs;
	u64 zones;
	u64 clients;
	u64 pages;
	u64 cache_bytes;
};

static DEFINE_SPINLOCK(users_lock);
static DEFINE_HASHTABLE(accounts, 8);	/* protected by users_lock */

static struct user_account *account_find(kuid_t uid)
{
	struct user_account *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(accounts, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

/* The user's account, found or made, with a reference; NULL: no memory. */
static struct user_account *account_get(kuid_t uid)
{
	struct user_account *user, *new;

	new = kzalloc(sizeof(*new), ZONE_GFP);
	if (!new)
		return NULL;
	new->uid = uid;

	spin_lock(&users_lock);
	user = account_find(uid);
	if (!user) {
		swap(user, new);
		hash_add(accounts, &user->node, __kuid_val(uid));
	}
	user->refs++;
	spin_unlock(&users_lock);

	kfree(new);
	return user;
}

static void account_put(struct user_account *user)
{
	spin_lock(&users_lock);
	if (--user->refs)
		user = NULL;
	else
		hash_del(&user->node);
	spin_unlock(&users_lock);
	kfree(user);
}

/* Whether so much more stays below the ceilings, as they are now. */
static bool has_room(const struct user_account *user, u64 zones, u64 pages)
{
	u64 pages_max = READ_ONCE(user_bytes_max) >> PAGE_SHIFT;

	lockdep_assert_held(&users_lock);
	return (!zones || user->zones + zones <= READ_ONCE(user_zones_max)) &&
	       user->pages + pages <= pages_max;
}

static bool try_charge(struct user_account *user, u64 zones, u64 pages,
		       bool exempt)
{
	bool fits;

	spin_lock(&users_lock);
	fits = exempt || has_room(user, zones, pages);
	if (fits) {
		user->zones += zones;
		user->pages += pages;
	}
	spin_unlock(&users_lock);
	return fits;
}

/* The capability is asked for only where it is needed: asking leaves traces. */
static int charge(struct user_account *user, u64 zones, u64 pages)
{
	if (try_charge(user, zones, pages, false))
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -EDQUOT;
	try_charge(user, zones, pages, true);
	return 0;
}

static void uncharge(struct user_account *user, u64 zones, u64 pages)
{
	spin_lock(&users_lock);
	user->zones -= zones;
	user->pages -= pages;
	spin_unlock(&users_lock);
}

/**
 * user_charge() - charge the caller's user for a new zone
 * @pages: pages of its limit
 *
 * Return: the account, for user_uncharge(), or ERR_PTR() of -EDQUOT or -ENOMEM.
 */
struct user_account *user_charge(u64 pages)
{
	struct user_account *user = account_get(current_uid());
	int ret;

	if (!user)
		return ERR_PTR(-ENOMEM);
	ret = charge(user, 1, pages);
	if (ret) {
		account_put(user);
		return ERR_PTR(ret);
	}
	return user;
}

/**
 * user_recharge() - charge for another limit of a zone
 * @user: the account
 * @from: pages it is charged for
 * @to: pages it is to be charged for
 *
 * Return: 0 or, if @to is more, -EDQUOT.
 */
int user_recharge(struct user_account *user, u64 from, u64 to)
{
	if (to > from)
		return charge(user, 0, to - from);
	uncharge(user, 0, from - to);
	return 0;
}

/**
 * user_uncharge() - a zone has ended
 * @user: the account, not to be used any more
 * @pages: pages it was charged for
 */
void user_uncharge(struct user_account *user, u64 pages)
{
	uncharge(user, 1, pages);
	account_put(user);
}

static bool try_charge_client(struct user_account *user, bool exempt)
{
	bool fits;

	spin_lock(&users_lock);
	fits = exempt || user->clients < READ_ONCE(user_clients_max);
	user->clients += fits;
	spin_unlock(&users_lock);
	return fits;
}

/**
 * user_charge_client() - charge the caller's user for a new client
 *
 * Return: the account, for user_uncharge_client(), or ERR_PTR() of -EDQUOT or
 * -ENOMEM.
 */
struct user_account *user_charge_client(void)
{
	struct user_account *user = account_get(current_uid());

	if (!user)
		return ERR_PTR(-ENOMEM);
	if (try_charge_client(user, false))
		return user;
	if (!capable(CAP_SYS_RESOURCE)) {
		account_put(user);
		return ERR_PTR(-EDQUOT);
	}
	try_charge_client(user, true);
	return user;
}

/**
 * user_get() - hold an account
 * @user: the account, which is charged for something
 */
void user_get(struct user_account *user)
{
	spin_lock(&users_lock);
	user->refs++;
	spin_unlock(&users_lock);
}

/* The opposite. */
void user_put(struct user_account *user)
{
	account_put(user);
}

/**
 * user_uncharge_client() - a client has ended
 * @user: the account, not to be used any more
 */
void user_uncharge_client(struct user_account *user)
{
	spin_lock(&users_lock);
	user->clients--;
	spin_unlock(&users_lock);
	account_put(user);
}

static bool try_charge_caches(struct user_account *user, u64 bytes, bool exempt)
{
	u64 ceiling = READ_ONCE(user_cache_bytes_max);
	bool fits;

	spin_lock(&users_lock);
	fits = exempt || (user->cache_bytes <= ceiling &&
			  bytes <= ceiling - user->cache_bytes);
	if (fits)
		user->cache_bytes += bytes;
	spin_unlock(&users_lock);
	return fits;
}

/**
 * user_charge_caches() - charge for the kernel's memory of a client
 * @user: the account, of which the client holds a reference
 * @bytes: how much
 *
 * Return: 0 or -EDQUOT.
 */
int user_charge_caches(struct user_account *user, u64 bytes)
{
	if (try_charge_caches(user, bytes, false))
		return 0;
	if (!capable(CAP_SYS_RESOURCE))
		return -EDQUOT;
	try_charge_caches(user, bytes, true);
	return 0;
}

/* The opposite. */
void user_uncharge_caches(struct user_account *user, u64 bytes)
{
	spin_lock(&users_lock);
	user->cache_bytes -= bytes;
	spin_unlock(&users_lock);
}
