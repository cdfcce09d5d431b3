// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone: look at zones, and manage them, from the command line.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
"usage: shmzone info                      what the kernel module offers\n"
"       shmzone list                      the zones that you may open\n"
"       shmzone stat [-c | -r] NAME       figures of a zone\n"
"       shmzone map [-C WHEN] NAME        a picture of a zone's pages\n"
"       shmzone roots NAME                named objects of a zone\n"
"       shmzone walk NAME                 all that is allocated, and whose it is\n"
"       shmzone create [-ckos] [-l LIMIT] [-m MODE] NAME SIZE\n"
"                                         make a zone that persists\n"
"       shmzone chmod MODE NAME           who may open it: 0600, 0664 ...\n"
"       shmzone chown [UID][:GID] NAME    whose it is, by number\n"
"       shmzone limit LIMIT NAME          how much may be taken; 0: no limit\n"
"       shmzone seal SEAL[,...] NAME      forbid alloc, limit, write, seal for good\n"
"       shmzone unlink NAME               take a zone's name away\n"
"\n"
"  -c, --classes       also a table of the size classes in use\n"
"  -r, --raw           one \"name value\" a line, in bytes, for scripts\n"
"  -C, --color=WHEN    auto (the default), always or never\n"
"  -c, --committed     (create) allocating brings the memory in\n"
"  -k, --checked       (create) each free is checked before it is used; owned too\n"
"  -o, --owned         (create) what a process allocates goes with it\n"
"  -s, --strict        (create) what is not allocated cannot be touched\n"
"  -l, --limit=LIMIT   how much may be taken\n"
"  -m, --mode=MODE     who may open it (0600)\n"
"  -h, --help          this text\n"
"  -V, --version       the version\n"
"\n"
"SIZE and LIMIT are bytes, or with K, M, G or T that many 1024-folds.\n"
"Exit code: 0 success, 1 failure, 2 wrong usage. See shmzone(1).\n";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "info", cmd_info },
	{ "list", cmd_list },
	{ "stat", cmd_stat },
	{ "map", cmd_map },
	{ "roots", cmd_roots },
	{ "walk", cmd_walk },
	{ "create", cmd_create },
	{ "chmod", cmd_chmod },
	{ "chown", cmd_chown },
	{ "limit", cmd_limit },
	{ "seal", cmd_seal },
	{ "unlink", cmd_unlink },
};

/* What is likely to help, or NULL. */
static const char *hint(int err)
{
	if (access("/dev/shmzone", F_OK))
		return "is the module loaded? try modprobe shmzone";
	if (access("/dev/shmzone", R_OK | W_OK))
		return "are you in the group of /dev/shmzone?";
	if (err == ENOENT)
		return "no zone of this name in this IPC namespace";
	return NULL;
}

int fail(const char *what, int err)
{
	const char *more = hint(err);

	fprintf(stderr, "shmzone: %s: %s", what, strerror(err));
	if (more)
		fprintf(stderr, " (%s)", more);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int usage_error(void)
{
	fputs("shmzone: wrong usage, see shmzone --help\n", stderr);
	return EXIT_USAGE;
}

char **operands(int argc, char **argv, int n)
{
	return optind == argc - n ? argv + optind : NULL;
}

const char *only_operand(int argc, char **argv)
{
	char **operand = operands(argc, argv, 1);

	return operand ? *operand : NULL;
}

const char *no_options(int argc, char **argv)
{
	return getopt(argc, argv, "") == -1 ? only_operand(argc, argv) : NULL;
}

int show_zone(const char *name, int (*show)(const struct shmz *z, void *arg), void *arg)
{
	struct shmz *z;
	int ret;

	if (!name)
		return usage_error();
	z = shmz_open(name, SHMZ_RDONLY);
	if (!z)
		return fail(name, errno);
	ret = show(z, arg);
	shmz_close(z);
	return ret ? fail(name, -ret) : EXIT_OK;
}

char *quantity(char text[QUANTITY_MAX], uint64_t bytes)
{
	static const char unit[] = "KMGTPE";
	double value = bytes;
	int i = -1;

	if (bytes < 1024) {
		snprintf(text, QUANTITY_MAX, "%d B", (int)bytes);
		return text;
	}
	/* 1023.95 would be printed as 1024.0. */
	for (; value >= 1023.95; i++)
		value /= 1024;
	snprintf(text, QUANTITY_MAX, "%.*f %ciB", value == (int)value ? 0 : 1,
		 value, unit[i < 0 ? 0 : i]);
	return text;
}

double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

static int run(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2)
		return usage_error();
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(help, stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("shmzone %s\n", shmz_strversion());
		return EXIT_OK;
	}
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)
		if (!strcmp(argv[1], c->name))
			return c->run(argc - 1, argv + 1);
	return usage_error();
}

int main(int argc, char **argv)
{
	int code;

	/* usage_error() says it all in its one line. */
	opterr = 0;
	code = run(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		return fail("standard output", errno);
	return code;
}
