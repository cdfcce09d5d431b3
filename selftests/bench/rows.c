// SPDX-License-Identifier: GPL-2.0
/*
 * All rows, in the order of the table. Those of one name are a row with several
 * charges for an ioctl.
 */
#include "rows.h"

const struct row rows[] = {
	{ "core.create_1tib", core_create_1tib },
	{ "core.page_1m_spans", core_page_1m_spans },
	{ "core.page_random", core_page_random },
	{ "core.page_worst", core_page_worst },
	{ "core.batch64", core_batch64 },
	{ "core.drain_cold", core_drain_cold },
	{ "core.shards", core_shards },
	{ "core.meta_8", core_meta, 8 },
	{ "core.meta_16", core_meta, 16 },
	{ "core.meta_24", core_meta, 24 },
	{ "core.meta_32", core_meta, 32 },
	{ "core.meta_64", core_meta, 64 },
	{ "core.residual_90", core_residual_90 },
	{ "core.resident_full", core_resident_full },
	{ "host.pair64", host_pair64, 1 },
	{ "host.pair64", host_pair64, 2 },
	{ "host.pair64", host_pair64, 4 },
	{ "host.live", host_live, 1 },
	{ "host.live", host_live, 2 },
	{ "host.live", host_live, 4 },
	{ "host.live_sized", host_live_sized, 1 },
	{ "host.live_sized", host_live_sized, 2 },
	{ "host.live_sized", host_live_sized, 4 },
	{ "host.prodcon", host_prodcon, 1 },
	{ "host.prodcon", host_prodcon, 2 },
	{ "host.prodcon", host_prodcon, 4 },
	{ "host.larson", host_larson, 1 },
	{ "host.larson", host_larson, 2 },
	{ "host.larson", host_larson, 4 },
	{ "host.xmalloc", host_xmalloc, 1 },
	{ "host.xmalloc", host_xmalloc, 2 },
	{ "host.xmalloc", host_xmalloc, 4 },
	{ "host.trace.sqlite3", host_trace, 0 },
	{ "host.trace.python3", host_trace, 1 },
	{ "host.trace.cc1", host_trace, 2 },
	{ "host.trace.perl", host_trace, 3 },
	{ "host.resident.live", host_resident, 0 },
	{ "host.resident.larson", host_resident, 1 },
	{ "host.resident.sqlite3", host_resident, 2 },
	{ "host.resident.python3", host_resident, 3 },
	{ "host.resident.cc1", host_resident, 4 },
	{ "host.resident.perl", host_resident, 5 },
};

const u32 row_count = ARRAY_SIZE(rows);
