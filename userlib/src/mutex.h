/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * struct shmz_mutex from inside, see mutex.c.
 */
#ifndef LIBSHMZONE_MUTEX_H
#define LIBSHMZONE_MUTEX_H

#include <assert.h>

#include "robust.h"

enum {
	DATA_FINE = 0,
	DATA_TORN,
	DATA_GONE,
};

struct mutex {
	_Atomic uint32_t magic;
	_Atomic uint32_t data;
	pthread_mutex_t robust;
};

static_assert(sizeof(struct mutex) <= sizeof(struct shmz_mutex), "fits, with room");
static_assert(sizeof(struct shmz_mutex) == 64, "part of the ABI");

/* shmz_mutex_lock() by @deadline. */
int mutex_lock(struct mutex *mutex, uint64_t deadline);

#endif
