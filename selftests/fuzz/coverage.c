// SPDX-License-Identifier: GPL-2.0
/*
 * What a program reached. Where the kernel has KCOV, and the module was built
 * for it, these are the places in the module's code that its first thread ran
 * through. Everywhere it is also which call of which kind ended with which
 * error: a guide for kernels without KCOV.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kcov.h>

#include "fuzz.h"

#define ENTRIES		(1 << 16)
#define TEXT_BYTES	(4 << 20)

static int kcov = -1;
static unsigned long *trace;
static unsigned long text;

/* Shared by a worker and its children. */
static struct {
	unsigned int pcs;
	uint8_t errors[256][256];
	uint8_t text[TEXT_BYTES];
} *seen;

static unsigned long module_text(void)
{
	FILE *file = fopen("/sys/module/shmzone/sections/.text", "r");
	unsigned long at = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lx", &at) != 1)
		at = 0;
	fclose(file);
	return at;
}

size_t coverage_bytes(void)
{
	return TEXT_BYTES;
}

bool coverage_open(void)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED)
		return false;
	text = module_text();
	kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	/* Without it, errors have to do. */
	if (kcov < 0 || !text || ioctl(kcov, KCOV_INIT_TRACE, ENTRIES))
		return true;
	trace = mmap(NULL, ENTRIES * sizeof(*trace), PROT_READ | PROT_WRITE,
		     MAP_SHARED, kcov, 0);
	if (trace == MAP_FAILED)
		trace = NULL;
	return true;
}

/* From here on what this process does is traced; its end ends that. */
void coverage_of_this_process(void)
{
	if (trace)
		ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC);
}

void coverage_begin(void)
{
	if (trace)
		__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

static unsigned int new_pcs(void)
{
	unsigned long n = trace ? __atomic_load_n(&trace[0], __ATOMIC_RELAXED) : 0;
	unsigned int found = 0;
	unsigned long i;

	if (n > ENTRIES - 1)
		n = ENTRIES - 1;
	for (i = 1; i <= n; i++) {
		unsigned long at = trace[i] - text;

		if (at >= TEXT_BYTES || seen->text[at])
			continue;
		seen->text[at] = 1;
		found++;
	}
	seen->pcs += found;
	return found;
}

unsigned int coverage_end(const struct program *program, const struct outcome *outcome)
{
	unsigned int found = new_pcs();
	unsigned int i;

	for (i = 0; i < outcome->done && i < program->count; i++) {
		uint8_t *error;

		error = &seen->errors[program->calls[i].op][outcome->errors[i]];
		found += !*error;
		*error = 1;
	}
	return found;
}

unsigned int coverage_pcs(void)
{
	return seen->pcs;
}

/* Into a map that all workers share, so that the sum can be told. */
void coverage_share(uint8_t *all)
{
	size_t i;

	for (i = 0; i < TEXT_BYTES; i++)
		if (seen->text[i])
			all[i] = 1;
}
