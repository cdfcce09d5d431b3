// SPDX-License-Identifier: GPL-2.0
/*
 * The layout of the ABI in literal numbers: it compiles, or the ABI is broken.
 * Compiled by lint as C and as C++, for 64 and for 32 bits, which must agree.
 */
#include <stddef.h>

#include <linux/shmzone.h>

#ifdef __cplusplus
#define ASSERT(x)	static_assert(x, #x)
#else
#define ASSERT(x)	_Static_assert(x, #x)
#endif

/* Every member with where it begins, and where the next one does: no holes. */
#define MEMBER(type, member, begin, end)				\
	ASSERT(offsetof(struct shmzone_##type, member) == (begin));	\
	ASSERT(sizeof(((struct shmzone_##type *)0)->member) == (end) - (begin))

#define SIZE(type, bytes)	ASSERT(sizeof(struct shmzone_##type) == (bytes))
#define COMMAND(NAME, number, size_ver0)				\
	ASSERT(SHMZONE_##NAME == (number));				\
	ASSERT(SHMZONE_##NAME##_SIZE_VER0 == (size_ver0))

COMMAND(INFO, 0xb900, 80);
COMMAND(CREATE, 0xb901, 40);
COMMAND(OPEN, 0xb902, 24);
COMMAND(UNLINK, 0xb903, 24);
COMMAND(LIST, 0xb904, 48);
COMMAND(PERMIT, 0xb905, 32);
COMMAND(ALLOC, 0xb910, 48);
COMMAND(FREE, 0xb911, 48);
COMMAND(QUERY, 0xb912, 32);
COMMAND(REOPEN, 0xb914, 16);
COMMAND(SET_LIMIT, 0xb915, 16);
COMMAND(ADD_SEALS, 0xb916, 16);
COMMAND(GET_SEALS, 0xb917, 16);
COMMAND(STAT, 0xb918, 168);
COMMAND(CLASS_STAT, 0xb919, 40);

COMMAND(ROOT_GET, 0xb920, 32);
COMMAND(ROOT_SET, 0xb921, 48);
COMMAND(ROOT_LIST, 0xb922, 40);
COMMAND(CACHE_REFILL, 0xb930, 32);
COMMAND(CACHE_DRAIN, 0xb931, 32);
COMMAND(CACHE_RECLAIM, 0xb932, 24);
COMMAND(CACHE_CLIENT, 0xb933, 16);
COMMAND(CACHE_SYNC, 0xb934, 24);
COMMAND(GIVE, 0xb938, 40);
COMMAND(OFFER, 0xb939, 40);
COMMAND(TAKE, 0xb93a, 40);
COMMAND(WALK, 0xb93b, 48);
COMMAND(LINK, 0xb93c, 40);
COMMAND(CHECK, 0xb93f, 128);

ASSERT(SHMZONE_ABI_VERSION == 1);
ASSERT(SHMZONE_NAME_MAX == 255);
ASSERT(SHMZONE_BATCH_MAX == 4096);
ASSERT(SHMZONE_ROOT_NAME_MAX == 63);
ASSERT(SHMZONE_ROOTS_MAX == 1024);
ASSERT(SHMZONE_LIST_MAX == 1024);
ASSERT(SHMZONE_GROUPS == 16);
ASSERT(SHMZONE_CLASSES == 45);
ASSERT(SHMZONE_CLASS_SPAN == 0);
ASSERT(SHMZONE_GROUP_ALL == 4294967295U);
ASSERT(SHMZONE_MMAP_PAGE_MAP == 281474976710656ULL);
ASSERT(SHMZONE_MMAP_CACHES == 562949953421312ULL);
ASSERT(SHMZONE_CACHE_BYTES == 131072);
ASSERT(SHMZONE_CACHES_MAX == 4096);
ASSERT(SHMZONE_CACHE_BINS == 128);
ASSERT(SHMZONE_CACHE_FIRST_WORD == 256);
ASSERT(SHMZONE_CACHE_BIN_WORD == 128);
ASSERT(SHMZONE_CACHE_PENDING == 45);
ASSERT(SHMZONE_CACHE_PENDING_BYTES == 1024);
ASSERT(SHMZONE_CACHE_CUR_SHIFT == 48);
ASSERT(SHMZONE_CACHE_CHECKED == 1073741824);
ASSERT(SHMZONE_CACHE_BUSY == 128);
ASSERT(SHMZONE_CACHE_STOCK_MAX == 1048576);
ASSERT(SHMZONE_CACHE_DRAIN_ALL == 1);
ASSERT(SHMZONE_CACHE_DRAIN_SHARED == 2);
ASSERT(SHMZONE_CREATE_EXCL == 1);
ASSERT(SHMZONE_CREATE_PERSIST == 2);
ASSERT(SHMZONE_CREATE_COMMITTED == 4);
ASSERT(SHMZONE_CREATE_STRICT == 8);
ASSERT(SHMZONE_CREATE_OWNED == 16);
ASSERT(SHMZONE_CREATE_CHECKED == 32);
ASSERT(SHMZONE_OPEN_RDONLY == 1);
ASSERT(SHMZONE_ALLOC_WAIT == 1);
ASSERT(SHMZONE_ROOT_SET_CAS == 1);
ASSERT(SHMZONE_ENTRY_PERSIST == 1);
ASSERT(SHMZONE_ENTRY_COMMITTED == 2);
ASSERT(SHMZONE_ENTRY_STRICT == 4);
ASSERT(SHMZONE_ENTRY_OWNED == 8);
ASSERT(SHMZONE_ENTRY_CHECKED == 16);
ASSERT(SHMZONE_PERMIT_MODE == 1);
ASSERT(SHMZONE_PERMIT_UID == 2);
ASSERT(SHMZONE_PERMIT_GID == 4);
ASSERT(SHMZONE_SEAL_SEAL == 1);
ASSERT(SHMZONE_SEAL_ALLOC == 2);
ASSERT(SHMZONE_SEAL_LIMIT == 4);
ASSERT(SHMZONE_SEAL_WRITE == 8);
ASSERT(SHMZONE_KIND_NONE == 0);
ASSERT(SHMZONE_KIND_SLAB == 1);
ASSERT(SHMZONE_KIND_SPAN == 2);
ASSERT(SHMZONE_KIND_MIXED == 3);
ASSERT(SHMZONE_WALK_MAX == 1024);
ASSERT(SHMZONE_OBJECT_CACHED == 1);
ASSERT(SHMZONE_OBJECT_OFFERED == 2);
ASSERT(SHMZONE_PAGE_CLASS(0xabcdfa6dU) == 0x2d);
ASSERT(SHMZONE_PAGE_GROUP(0xabcdfa6dU) == 0x9);
ASSERT(SHMZONE_PAGE_KIND(0xabcdfa6dU) == 0x2);
ASSERT(SHMZONE_PAGE_TAG(0xabcdfa6dU) == 0xbcdf);

SIZE(class, 16);
MEMBER(class, slot_bytes, 0, 4);
MEMBER(class, slab_pages, 4, 8);
MEMBER(class, slab_slots, 8, 12);
MEMBER(class, __reserved, 12, 16);

SIZE(info, 80);
MEMBER(info, size, 0, 4);
MEMBER(info, flags, 4, 8);
MEMBER(info, classes, 8, 16);
MEMBER(info, class_count, 16, 20);
MEMBER(info, class_size, 20, 24);
MEMBER(info, out_abi_version, 24, 28);
MEMBER(info, out_page_bytes, 28, 32);
MEMBER(info, out_features, 32, 40);
MEMBER(info, out_zone_bytes_max, 40, 48);
MEMBER(info, out_class_count, 48, 52);
MEMBER(info, out_group_count, 52, 56);
MEMBER(info, out_batch_max, 56, 60);
MEMBER(info, out_name_max, 60, 64);
MEMBER(info, out_zones, 64, 72);
MEMBER(info, out_refused_calls, 72, 80);

SIZE(create, 40);
MEMBER(create, size, 0, 4);
MEMBER(create, flags, 4, 8);
MEMBER(create, zone_bytes, 8, 16);
MEMBER(create, limit_bytes, 16, 24);
MEMBER(create, name, 24, 32);
MEMBER(create, name_len, 32, 36);
MEMBER(create, mode, 36, 40);

SIZE(open, 24);
MEMBER(open, size, 0, 4);
MEMBER(open, flags, 4, 8);
MEMBER(open, name, 8, 16);
MEMBER(open, name_len, 16, 20);
MEMBER(open, __reserved, 20, 24);

SIZE(unlink, 24);
MEMBER(unlink, size, 0, 4);
MEMBER(unlink, flags, 4, 8);
MEMBER(unlink, name, 8, 16);
MEMBER(unlink, name_len, 16, 20);
MEMBER(unlink, __reserved, 20, 24);

SIZE(entry, 296);
MEMBER(entry, id, 0, 8);
MEMBER(entry, zone_bytes, 8, 16);
MEMBER(entry, flags, 16, 20);
MEMBER(entry, mode, 20, 24);
MEMBER(entry, uid, 24, 28);
MEMBER(entry, gid, 28, 32);
MEMBER(entry, name_len, 32, 36);
MEMBER(entry, __reserved, 36, 40);
MEMBER(entry, name, 40, 296);

SIZE(list, 48);
MEMBER(list, size, 0, 4);
MEMBER(list, flags, 4, 8);
MEMBER(list, entries, 8, 16);
MEMBER(list, count, 16, 20);
MEMBER(list, entry_size, 20, 24);
MEMBER(list, cursor, 24, 32);
MEMBER(list, out_cursor, 32, 40);
MEMBER(list, out_count, 40, 44);
MEMBER(list, __out_reserved, 44, 48);

SIZE(permit, 32);
MEMBER(permit, size, 0, 4);
MEMBER(permit, flags, 4, 8);
MEMBER(permit, name, 8, 16);
MEMBER(permit, name_len, 16, 20);
MEMBER(permit, mode, 20, 24);
MEMBER(permit, uid, 24, 28);
MEMBER(permit, gid, 28, 32);

SIZE(alloc, 56);
MEMBER(alloc, size, 0, 4);
MEMBER(alloc, flags, 4, 8);
MEMBER(alloc, bytes, 8, 16);
MEMBER(alloc, offsets, 16, 24);
MEMBER(alloc, count, 24, 28);
MEMBER(alloc, align, 28, 32);
MEMBER(alloc, group, 32, 36);
MEMBER(alloc, __reserved, 36, 40);
MEMBER(alloc, out_count, 40, 44);
MEMBER(alloc, __out_reserved, 44, 48);
MEMBER(alloc, timeout_ns, 48, 56);

SIZE(free, 48);
MEMBER(free, size, 0, 4);
MEMBER(free, flags, 4, 8);
MEMBER(free, offsets, 8, 16);
MEMBER(free, count, 16, 20);
MEMBER(free, __reserved, 20, 24);
MEMBER(free, bytes, 24, 32);
MEMBER(free, out_count, 32, 36);
MEMBER(free, out_bad, 36, 40);
MEMBER(free, out_error, 40, 44);
MEMBER(free, __out_reserved, 44, 48);

SIZE(query, 40);
MEMBER(query, size, 0, 4);
MEMBER(query, flags, 4, 8);
MEMBER(query, offset, 8, 16);
MEMBER(query, out_bytes, 16, 24);
MEMBER(query, out_class, 24, 28);
MEMBER(query, out_group, 28, 32);
MEMBER(query, out_owner, 32, 40);

SIZE(reopen, 16);
MEMBER(reopen, size, 0, 4);
MEMBER(reopen, flags, 4, 8);
MEMBER(reopen, __reserved, 8, 16);

SIZE(set_limit, 16);
MEMBER(set_limit, size, 0, 4);
MEMBER(set_limit, flags, 4, 8);
MEMBER(set_limit, limit_bytes, 8, 16);

SIZE(add_seals, 16);
MEMBER(add_seals, size, 0, 4);
MEMBER(add_seals, flags, 4, 8);
MEMBER(add_seals, seals, 8, 12);
MEMBER(add_seals, __reserved, 12, 16);

SIZE(get_seals, 16);
MEMBER(get_seals, size, 0, 4);
MEMBER(get_seals, flags, 4, 8);
MEMBER(get_seals, out_seals, 8, 12);
MEMBER(get_seals, __out_reserved, 12, 16);

SIZE(stat, 224);
MEMBER(stat, size, 0, 4);
MEMBER(stat, flags, 4, 8);
MEMBER(stat, out_id, 8, 16);
MEMBER(stat, out_zone_bytes, 16, 24);
MEMBER(stat, out_limit_bytes, 24, 32);
MEMBER(stat, out_taken_bytes, 32, 40);
MEMBER(stat, out_live_bytes, 40, 48);
MEMBER(stat, out_live_objects, 48, 56);
MEMBER(stat, out_slabs, 56, 64);
MEMBER(stat, out_spans, 64, 72);
MEMBER(stat, out_resident_bytes, 72, 80);
MEMBER(stat, out_swapped_bytes, 80, 88);
MEMBER(stat, out_kernel_bytes, 88, 96);
MEMBER(stat, out_requests, 96, 104);
MEMBER(stat, out_failures, 104, 112);
MEMBER(stat, out_frees, 112, 120);
MEMBER(stat, out_bad_outside, 120, 128);
MEMBER(stat, out_bad_misaligned, 128, 136);
MEMBER(stat, out_bad_interior, 136, 144);
MEMBER(stat, out_bad_not_live, 144, 152);
MEMBER(stat, out_bad_bytes, 152, 160);
MEMBER(stat, out_refused_calls, 160, 168);
MEMBER(stat, out_kind, 168, 172);
MEMBER(stat, __out_reserved, 172, 176);
MEMBER(stat, out_cached_bytes, 176, 184);
MEMBER(stat, out_cached_objects, 184, 192);
MEMBER(stat, out_caches, 192, 200);
MEMBER(stat, out_revocations, 200, 208);
MEMBER(stat, out_bad_bins, 208, 216);
MEMBER(stat, out_bad_owner, 216, 224);

SIZE(class_figures, 48);
MEMBER(class_figures, slabs, 0, 8);
MEMBER(class_figures, total, 8, 16);
MEMBER(class_figures, used, 16, 24);
MEMBER(class_figures, requests, 24, 32);
MEMBER(class_figures, failures, 32, 40);
MEMBER(class_figures, frees, 40, 48);

SIZE(class_stat, 40);
MEMBER(class_stat, size, 0, 4);
MEMBER(class_stat, flags, 4, 8);
MEMBER(class_stat, figures, 8, 16);
MEMBER(class_stat, first_class, 16, 20);
MEMBER(class_stat, count, 20, 24);
MEMBER(class_stat, group, 24, 28);
MEMBER(class_stat, figures_size, 28, 32);
MEMBER(class_stat, out_count, 32, 36);
MEMBER(class_stat, __out_reserved, 36, 40);

SIZE(check, 128);
MEMBER(check, size, 0, 4);
MEMBER(check, flags, 4, 8);
MEMBER(check, out_text, 8, 128);
SIZE(root_get, 32);
MEMBER(root_get, size, 0, 4);
MEMBER(root_get, flags, 4, 8);
MEMBER(root_get, name, 8, 16);
MEMBER(root_get, name_len, 16, 20);
MEMBER(root_get, __reserved, 20, 24);
MEMBER(root_get, out_offset, 24, 32);

SIZE(root_set, 48);
MEMBER(root_set, size, 0, 4);
MEMBER(root_set, flags, 4, 8);
MEMBER(root_set, name, 8, 16);
MEMBER(root_set, name_len, 16, 20);
MEMBER(root_set, __reserved, 20, 24);
MEMBER(root_set, offset, 24, 32);
MEMBER(root_set, expected, 32, 40);
MEMBER(root_set, out_old, 40, 48);

SIZE(root, 80);
MEMBER(root, offset, 0, 8);
MEMBER(root, name_len, 8, 12);
MEMBER(root, __reserved, 12, 16);
MEMBER(root, name, 16, 80);

SIZE(root_list, 40);
MEMBER(root_list, size, 0, 4);
MEMBER(root_list, flags, 4, 8);
MEMBER(root_list, roots, 8, 16);
MEMBER(root_list, count, 16, 20);
MEMBER(root_list, root_size, 20, 24);
MEMBER(root_list, after, 24, 32);
MEMBER(root_list, after_len, 32, 36);
MEMBER(root_list, out_count, 36, 40);

SIZE(bin, 8);
MEMBER(bin, cur, 0, 4);
MEMBER(bin, end, 4, 8);

SIZE(cache_head, 2048);
MEMBER(cache_head, key, 0, 4);
MEMBER(cache_head, __reserved, 4, 64);
MEMBER(cache_head, bin_of, 64, 1024);
MEMBER(cache_head, bin, 1024, 2048);

SIZE(cache, 2984);
MEMBER(cache, __reserved, 0, 936);
MEMBER(cache, head, 936, 2984);

SIZE(cache_refill, 32);
MEMBER(cache_refill, size, 0, 4);
MEMBER(cache_refill, flags, 4, 8);
MEMBER(cache_refill, cache, 8, 12);
MEMBER(cache_refill, size_class, 12, 16);
MEMBER(cache_refill, group, 16, 20);
MEMBER(cache_refill, __reserved, 20, 24);
MEMBER(cache_refill, out_bin, 24, 28);
MEMBER(cache_refill, out_count, 28, 32);

SIZE(cache_drain, 40);
MEMBER(cache_drain, size, 0, 4);
MEMBER(cache_drain, flags, 4, 8);
MEMBER(cache_drain, cache, 8, 12);
MEMBER(cache_drain, size_class, 12, 16);
MEMBER(cache_drain, group, 16, 20);
MEMBER(cache_drain, __reserved, 20, 24);
MEMBER(cache_drain, out_bin, 24, 28);
MEMBER(cache_drain, out_count, 28, 32);
MEMBER(cache_drain, out_refused, 32, 36);
MEMBER(cache_drain, out_error, 36, 40);

SIZE(cache_reclaim, 24);
MEMBER(cache_reclaim, size, 0, 4);
MEMBER(cache_reclaim, flags, 4, 8);
MEMBER(cache_reclaim, out_caches, 8, 12);
MEMBER(cache_reclaim, out_busy, 12, 16);
MEMBER(cache_reclaim, out_count, 16, 24);

SIZE(cache_client, 16);
MEMBER(cache_client, size, 0, 4);
MEMBER(cache_client, flags, 4, 8);
MEMBER(cache_client, out_client, 8, 16);

SIZE(cache_sync, 24);
MEMBER(cache_sync, size, 0, 4);
MEMBER(cache_sync, flags, 4, 8);
MEMBER(cache_sync, client, 8, 16);
MEMBER(cache_sync, timeout_ns, 16, 24);

SIZE(give, 40);
MEMBER(give, size, 0, 4);
MEMBER(give, flags, 4, 8);
MEMBER(give, offsets, 8, 16);
MEMBER(give, count, 16, 20);
MEMBER(give, __reserved, 20, 24);
MEMBER(give, client, 24, 32);
MEMBER(give, out_count, 32, 36);
MEMBER(give, out_error, 36, 40);

SIZE(offer, 40);
MEMBER(offer, size, 0, 4);
MEMBER(offer, flags, 4, 8);
MEMBER(offer, offsets, 8, 16);
MEMBER(offer, count, 16, 20);
MEMBER(offer, __reserved, 20, 24);
MEMBER(offer, client, 24, 32);
MEMBER(offer, out_count, 32, 36);
MEMBER(offer, out_error, 36, 40);

SIZE(take, 40);
MEMBER(take, size, 0, 4);
MEMBER(take, flags, 4, 8);
MEMBER(take, offsets, 8, 16);
MEMBER(take, count, 16, 20);
MEMBER(take, __reserved, 20, 24);
MEMBER(take, client, 24, 32);
MEMBER(take, out_count, 32, 36);
MEMBER(take, out_error, 36, 40);

SIZE(link, 40);
MEMBER(link, size, 0, 4);
MEMBER(link, flags, 4, 8);
MEMBER(link, offsets, 8, 16);
MEMBER(link, count, 16, 20);
MEMBER(link, __reserved, 20, 24);
MEMBER(link, parent, 24, 32);
MEMBER(link, out_count, 32, 36);
MEMBER(link, out_error, 36, 40);

SIZE(object, 40);
MEMBER(object, offset, 0, 8);
MEMBER(object, bytes, 8, 16);
MEMBER(object, owner, 16, 24);
MEMBER(object, size_class, 24, 28);
MEMBER(object, group, 28, 32);
MEMBER(object, flags, 32, 36);
MEMBER(object, __reserved, 36, 40);

SIZE(walk, 48);
MEMBER(walk, size, 0, 4);
MEMBER(walk, flags, 4, 8);
MEMBER(walk, objects, 8, 16);
MEMBER(walk, count, 16, 20);
MEMBER(walk, object_size, 20, 24);
MEMBER(walk, cursor, 24, 32);
MEMBER(walk, out_cursor, 32, 40);
MEMBER(walk, out_count, 40, 44);
MEMBER(walk, __out_reserved, 44, 48);
