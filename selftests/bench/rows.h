/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows' functions; what they are for is said in rows.c.
 */
#ifndef SHMZONE_BENCH_ROWS_H
#define SHMZONE_BENCH_ROWS_H

#include "bench.h"

/* core_zone.c */
void core_create_1tib(u64 arg);
void core_meta(u64 bytes);

/* core_pages.c */
void core_page_1m_spans(u64 arg);
void core_page_random(u64 arg);
void core_page_worst(u64 arg);

/* core_slots.c */
void core_batch64(u64 arg);
void core_drain_cold(u64 arg);

/* core_shards.c */
void core_shards(u64 arg);

/* core_resident.c */
void core_residual_90(u64 arg);
void core_resident_full(u64 arg);

/* host_single.c */
void host_pair64(u64 charge);
void host_live(u64 charge);
void host_live_sized(u64 charge);

/* host_handover.c */
void host_prodcon(u64 charge);

/* host_crowd.c */
void host_larson(u64 charge);
void host_xmalloc(u64 charge);

/* host_trace.c */
void host_trace(u64 index);

/* host_resident.c; the option makes this program one that is looked at. */
#define RESIDENT_OPTION	"--resident"

void host_resident(u64 which);
int resident_main(char **args);

/* vm_processes.c */
void vm_scale2(u64 arg);
void vm_vs_boost2(u64 arg);
void vm_prodcon2(u64 arg);

/* vm_ioctl.c */
void vm_ioctl_alloc(u64 arg);
void vm_ioctl_batch64(u64 arg);
void vm_ioctl_drain63(u64 arg);

/* vm_kinds.c */
void vm_kinds64(u64 arg);

/* vm_revoke.c */
void vm_revoke(u64 arg);

#endif /* SHMZONE_BENCH_ROWS_H */
