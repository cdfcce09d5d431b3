/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's init: what its files share. See init.c.
 */
#ifndef SHMZONE_VM_INIT_H
#define SHMZONE_VM_INIT_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The directory of this run, shared with the host and writable. */
#define RUN_DIR "/run/shmzone-run"
#define OUT_DIR "/run/shmzone-out"

/* init.c: adds a line to what makes the run fail. */
__attribute__((format(printf, 1, 2))) void fail(const char *format, ...);
bool write_file(const char *path, const char *text);
char *read_file(const char *path, size_t *size);

/* mounts.c: true if the host's tree is the root and the run directory is there. */
bool mount_all(void);

/* modules.c */
void load_boot_modules(void);
bool load_modules(char *paths);
const char *module_symbol(unsigned long address);
bool unload_modules(void);

/* kmemleak.c */
void kmemleak_start(void);
void kmemleak_report(void);

#endif
