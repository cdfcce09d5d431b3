// SPDX-License-Identifier: GPL-2.0
/*
 * Where and with what this is measured.
 */
#include "bench.h"

#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PACKAGES	"libc6 libjemalloc2 libgoogle-perftools4 libmimalloc2.0"

/* The value of the first line of /proc/cpuinfo with a key. */
static void find_in_cpuinfo(const char *key, char *value, size_t bytes)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[4096], *colon;

	snprintf(value, bytes, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (!colon || strncmp(line, key, strlen(key)))
			continue;
		colon[strcspn(colon, "\n")] = 0;
		snprintf(value, bytes, "%s", colon + 2);
		break;
	}
	if (file)
		fclose(file);
}

static void print_packages(void)
{
	FILE *pipe = popen("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' "
			   PACKAGES " 2>/dev/null", "r");
	char status[32], name[64], version[64];
	const char *before = "";

	printf("beside:   ");
	while (pipe && fscanf(pipe, "%31s %63s %63s", status, name, version) == 3) {
		if (strcmp(status, "installed"))
			continue;
		printf("%s%s %s", before, name, version);
		before = ", ";
	}
	printf("\n");
	if (pipe)
		pclose(pipe);
}

void machine_print(void)
{
	char model[256], flags[4096], day[32];
	time_t now = time(NULL);
	struct utsname names;
	double load = 0;

	find_in_cpuinfo("model name", model, sizeof(model));
	find_in_cpuinfo("flags", flags, sizeof(flags));
	uname(&names);
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M", localtime(&now));
	getloadavg(&load, 1);
	printf("date:     %s\n", day);
	printf("machine:  %s, %ld CPUs%s, %s %s, load %.1f\n", model,
	       sysconf(_SC_NPROCESSORS_ONLN),
	       strstr(flags, " hypervisor") ? " of a virtual machine" : "",
	       names.sysname, names.release, load);
	printf("compiler: gcc %s\n", __VERSION__);
	print_packages();
	fflush(stdout);
}
