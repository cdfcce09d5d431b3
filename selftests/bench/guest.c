// SPDX-License-Identifier: GPL-2.0
/*
 * Rows that need the module: vm.*.
 *
 * All of them that are wanted are run by this same program in a guest, with
 * Debian's 6.1 kernel, and come back as JSON. There the library is the real one.
 *
 * There are two such guests, and a row has figures from both:
 *
 *	timed	two processors. Unless there is KVM, times are an emulator's,
 *		which knows nothing of caches and what misses cost.
 *	counted	one processor, emulated, whose clock advances by a nanosecond with
 *		each instruction, be it the program's or the kernel's. What two
 *		processes do is then the sum of their instructions, taking turns:
 *		it says what the work is, but not how they are in each other's way.
 */
#include "guest.h"
#include "allocator.h"

#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS	64
#define GUEST_OUT	"/run/shmzone-out"

bool in_guest, guest_counted;

bool guest_is_native(void)
{
	static char cpu[4096];
	FILE *file;

	if (!*cpu) {
		file = fopen("/proc/cpuinfo", "r");
		if (!file || !fread(cpu, 1, sizeof(cpu) - 1, file))
			bench_die("there is no /proc/cpuinfo");
		fclose(file);
	}
	return !strstr(cpu, "QEMU TCG");
}

const char *guest_where(const char *what)
{
	static char where[64];

	snprintf(where, sizeof(where), "%s, %s",
		 guest_counted ? "counted" : guest_is_native() ? "KVM" : "emulated", what);
	return where;
}

bool guest_has(const char *name)
{
	return !strncmp(name, "vm.", 3);
}

static void start_guest(const char *out, bool counted, const char *const *names, u32 n)
{
	const char *arguments[ARGUMENTS] = {
		GUEST_RUN, "--kernel", "6.1", "--timeout", "1200", "--out", out,
		"--accel", counted ? "icount" : "auto", "--smp", counted ? "1" : "2", "--",
		BENCH, GUEST_OPTION, "--json", GUEST_OUT "/figures",
	};
	char rounds[16];
	u32 i, at;

	for (at = 0; arguments[at];)
		at++;
	snprintf(rounds, sizeof(rounds), "%u", rounds_wanted);
	arguments[at++] = "--rounds";
	arguments[at++] = rounds;
	if (counted)
		arguments[at++] = COUNTED_OPTION;
	for (i = 0; i < n && at < ARGUMENTS - 1; i++)
		arguments[at++] = names[i];
	/* What it prints is printed from the JSON. */
	if (!freopen("/dev/null", "w", stdout))
		_exit(126);
	unsetenv("GLIBC_TUNABLES");
	execv(GUEST_RUN, (char **)arguments);
	_exit(126);
}

static json_t *run_one(bool counted, const char *const *names, u32 n, bool *failed)
{
	char out[] = "/tmp/shmzone-bench-XXXXXX", file[64];
	json_t *figures;
	int status;
	pid_t pid;

	if (!mkdtemp(out))
		bench_die("no temporary directory");
	snprintf(file, sizeof(file), "%s/figures", out);
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		bench_die("no process");
	if (!pid)
		start_guest(out, counted, names, n);
	waitpid(pid, &status, 0);
	figures = json_load_file(file, 0, NULL);
	unlink(file);
	rmdir(out);
	*failed |= status || !figures;
	return figures ?: json_array();
}

static void add_those_of(const char *name, json_t *all, const json_t *figures)
{
	json_t *entry;
	size_t i;

	json_array_foreach(figures, i, entry)
		if (!strcmp(json_string_value(json_object_get(entry, "name")), name))
			json_array_append(all, entry);
}

json_t *guest_run(const char *const *names, u32 n, bool *failed)
{
	json_t *counted, *timed, *all = json_array();
	u32 i;

	*failed = false;
	counted = run_one(true, names, n, failed);
	timed = run_one(false, names, n, failed);
	for (i = 0; i < n; i++) {
		add_those_of(names[i], all, counted);
		add_those_of(names[i], all, timed);
	}
	json_decref(counted);
	json_decref(timed);
	return all;
}
