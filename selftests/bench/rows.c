// SPDX-License-Identifier: GPL-2.0
/*
 * All rows, in the order of the table.
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
};

const u32 row_count = ARRAY_SIZE(rows);
