// SPDX-License-Identifier: GPL-2.0
/*
 * Rows that need the module: vm.*.
 *
 * All of them that are wanted are run by this same program in one guest, with
 * Debian's 6.1 kernel, and come back as JSON. There the library is the real one.
 */
#include "guest.h"
#include "allocator.h"

#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS	64
#define GUEST_OUT	"/run/shmzone-out"

bool in_guest;

const char *guest_where(const char *what)
{
	static char where[64];
	static char cpu[4096];
	FILE *file;

	if (!*cpu) {
		file = fopen("/proc/cpuinfo", "r");
		if (!file || !fread(cpu, 1, sizeof(cpu) - 1, file))
			bench_die("there is no /proc/cpuinfo");
		fclose(file);
	}
	snprintf(where, sizeof(where), "%s, %s",
		 strstr(cpu, "QEMU TCG") ? "emulated" : "KVM", what);
	return where;
}

bool guest_has(const char *name)
{
	return !strncmp(name, "vm.", 3);
}

static void start_guest(const char *out, const char *const *names, u32 n)
{
	const char *arguments[ARGUMENTS] = {
		GUEST_RUN, "--kernel", "6.1", "--timeout", "1200", "--out", out, "--",
		BENCH, GUEST_OPTION, "--json", GUEST_OUT "/figures",
	};
	char rounds[16];
	u32 i, at;

	for (at = 0; arguments[at];)
		at++;
	snprintf(rounds, sizeof(rounds), "%u", rounds_wanted);
	arguments[at++] = "--rounds";
	arguments[at++] = rounds;
	for (i = 0; i < n && at < ARGUMENTS - 1; i++)
		arguments[at++] = names[i];
	/* What it prints is printed from the JSON. */
	if (!freopen("/dev/null", "w", stdout))
		_exit(126);
	unsetenv("GLIBC_TUNABLES");
	execv(GUEST_RUN, (char **)arguments);
	_exit(126);
}

json_t *guest_run(const char *const *names, u32 n, bool *failed)
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
		start_guest(out, names, n);
	waitpid(pid, &status, 0);
	figures = json_load_file(file, 0, NULL);
	unlink(file);
	rmdir(out);
	*failed = status || !figures;
	return figures ?: json_array();
}
