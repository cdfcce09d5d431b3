// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading modules through libkmod, which is what modprobe, and
 * so every real machine, does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libkmod.h>

#include "init.h"

#define MODULES_MAX 16
/* No function is longer, and modules lie no nearer to other code. */
#define FUNCTION_MAX 16384

/* The modules under test, in the order of loading. */
static struct kmod_module *loaded[MODULES_MAX];
static size_t nr_loaded;

/* Where their functions were, for backtraces of what they leaked. */
static struct symbol {
	unsigned long address;
	char *name;
} *symbols;
static size_t nr_symbols;

static void quiet(void *data, int priority, const char *file, int line,
		  const char *function, const char *format, va_list args)
{
}

static struct kmod_ctx *context(void)
{
	static struct kmod_ctx *ctx;
	const char *no_config = NULL;

	if (!ctx) {
		ctx = kmod_new(NULL, &no_config);
		kmod_set_log_fn(ctx, quiet, NULL);
	}
	return ctx;
}

/*
 * A stock kernel needs modules before it can see the host's files: they are in
 * the initramfs. Other kernels have all that built in and no such directory;
 * what is really missing shows when the root is mounted.
 */
void load_boot_modules(void)
{
	static const char *const names[] = {
		"virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "overlay",
	};

	if (access("/lib/modules", F_OK))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct kmod_list *list = NULL, *item;

		kmod_module_new_from_lookup(context(), names[i], &list);
		kmod_list_foreach(item, list) {
			struct kmod_module *module = kmod_module_get_module(item);

			kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
			kmod_module_unref(module);
		}
		kmod_module_unref_list(list);
	}
}

/* @line: a path, and perhaps parameters behind it. */
static bool load_module(char *line)
{
	const char *path = strsep(&line, " ");
	struct kmod_module *module;
	int error;

	if (nr_loaded == MODULES_MAX) {
		fail("too many modules");
		return false;
	}
	error = kmod_module_new_from_path(context(), path, &module);
	if (!error)
		error = kmod_module_insert_module(module, 0, line);
	if (error) {
		fail("cannot load %s: %s", path, strerror(-error));
		return false;
	}
	loaded[nr_loaded++] = module;
	return true;
}

/* @paths: a path a line, with the parameters of the module behind it. */
bool load_modules(char *paths)
{
	for (char *path = strtok(paths, "\n"); path; path = strtok(NULL, "\n")) {
		if (!load_module(path))
			return false;
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;

	return left->address < right->address ? -1 : left->address > right->address;
}

/* The lines of /proc/kallsyms that end in a module's name: "address t name [module]". */
static void keep_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[256], module[128];
	unsigned long address;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx %*c %255s [%127[^]]", &address, name, module) != 3)
			continue;
		for (size_t i = 0; i < nr_loaded; i++) {
			if (strcmp(module, kmod_module_get_name(loaded[i])))
				continue;
			symbols = realloc(symbols, (nr_symbols + 1) * sizeof(*symbols));
			symbols[nr_symbols].address = address;
			symbols[nr_symbols++].name = strdup(name);
		}
	}
	if (file)
		fclose(file);
	qsort(symbols, nr_symbols, sizeof(*symbols), by_address);
}

/* The module's function that was at @address, or NULL if none was near. */
const char *module_symbol(unsigned long address)
{
	const struct symbol *best = NULL;

	for (size_t i = 0; i < nr_symbols && symbols[i].address <= address; i++)
		best = &symbols[i];
	return best && address - best->address < FUNCTION_MAX ? best->name : NULL;
}

/*
 * All processes are gone, but the last reference to a file may still be dropped
 * by deferred work: a busy module gets a few seconds.
 */
static bool unload_module(struct kmod_module *module)
{
	int error = 0;

	for (int tries = 0; tries < 50; tries++) {
		error = kmod_module_remove_module(module, O_NONBLOCK);
		if (error != -EAGAIN && error != -EBUSY)
			break;
		usleep(100 * 1000);
	}
	if (error)
		fail("cannot unload %s: %s, %d references", kmod_module_get_name(module),
		     strerror(-error), kmod_module_get_refcnt(module));
	return !error;
}

/* True if there were modules and all are gone: only then can they have leaked. */
bool unload_modules(void)
{
	bool gone = nr_loaded > 0;

	keep_symbols();
	for (size_t i = nr_loaded; i-- > 0;)
		gone = unload_module(loaded[i]) && gone;
	return gone;
}
