/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * shmzone: kinds of zones. A part of <linux/shmzone.h>, which includes it and
 * has the flags of CREATE that choose.
 */
#ifndef _LINUX_SHMZONE_KINDS_H
#define _LINUX_SHMZONE_KINDS_H

/**
 * DOC: kinds of zones
 *
 * In a *plain* zone memory comes in when it is first touched, as with any shared
 * memory: ALLOC costs none, and touching may find that there is none left, which
 * is SIGBUS or the OOM killer. A zone's kind is chosen by CREATE and told by
 * STAT, LIST and fdinfo.
 *
 * In a *committed* zone (%SHMZONE_CREATE_COMMITTED) ALLOC brings the memory of
 * new slabs and spans in, charged to the memory cgroup of its caller. A shortage
 * is ENOMEM from ALLOC; it kills nobody, and what was allocated can be touched
 * without another one. Memory can still be swapped out, and coming back needs
 * memory again; and it can fail as hardware does. ALLOC takes the time that
 * touching would have taken. EINTR: a fatal signal arrived meanwhile.
 *
 * In a *strict* zone (%SHMZONE_CREATE_STRICT) only pages of slabs and spans can
 * be touched. Any other is SIGBUS, to read and to write, and for the system
 * calls that touch memory on somebody's behalf it is what a wrong address is:
 * EFAULT or the like. A slab or span that ends loses its memory before FREE
 * returns, or, where a slab is held back for a while, when it is let go; its
 * pages are taken meanwhile. (A page of a slab can be touched whether a slot on
 * it is live or not.) Hence the limit is absolute: whatever anybody touches, the
 * zone holds no more memory than is taken. And the memory of a new slab or span
 * is zero: that of a span always, that of a slot until it is used again.
 *
 * Mappings of strict zones take no huge pages and no userfaultfd. Frees of spans
 * cost the time it takes to give their memory back. Who asks for huge pages with
 * MADV_HUGEPAGE can get SIGBUS where the system would give one; and where it
 * gives them to all shared memory, ALLOC in a strict and committed zone ENOMEM.
 *
 * In an *owned* zone (%SHMZONE_CREATE_OWNED) every object belongs to a client, who
 * alone can free it and with whom it goes: see <linux/shmzone_owner.h>.
 *
 * In a *checked* zone (%SHMZONE_CREATE_CHECKED) too, which is an owned one, the
 * kernel checks every free before the slot can be used again: a thread does not
 * put a slot back into the stock that it allocates from, but collects what it
 * frees, and the kernel frees that 64 at a time (see <linux/shmzone_cache.h>).
 * Refused, and counted by reason, are also
 *
 *	a second free of what waits to be freed, or is free
 *	a free of a slot that lies in the stock of a thread, of which the bitmaps
 *	know no more than that it is taken
 *
 * GIVE, OFFER and LINK are refused the latter, too (EINVAL).
 *
 * FREE checks at once and tells of it, CACHE_DRAIN of what was collected. Not to
 * be told from a right one is a free of what its process has allocated again
 * meanwhile, also where one thread freed it twice, and another was given it before
 * the second free came to the kernel. Frees take longer, and longer still with
 * many threads, as the stock of all of them is looked at.
 *
 * A checked zone has to be owned (EINVAL): where anyone may free what he did not
 * allocate, whoever names an object in a free has freed it, and stock of all
 * processes would have to be looked at. Otherwise all kinds may be chosen
 * together. A kernel that does not know one says EOPNOTSUPP to its flag, and lacks
 * its bit in out_features of INFO.
 */

#endif /* _LINUX_SHMZONE_KINDS_H */
