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
 */

#endif /* _LINUX_SHMZONE_KINDS_H */
