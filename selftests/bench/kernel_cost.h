/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included after the host's core_env.h: what costs far more there than in the
 * kernel, and would be measured instead of the core.
 *
 * The host yields whenever the core offers to, so that threads meet; the
 * kernel tests a flag. (Another such thing is hweight64(), see the Makefile.)
 */
#ifndef SHMZONE_BENCH_KERNEL_COST_H
#define SHMZONE_BENCH_KERNEL_COST_H

/* Never set. */
extern volatile bool need_resched;

#undef cond_resched
#define cond_resched()		do { if (need_resched) sched_yield(); } while (0)

#endif /* SHMZONE_BENCH_KERNEL_COST_H */
