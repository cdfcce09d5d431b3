// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone create, chmod, chown, limit, seal and unlink: everything that changes
 * a zone or its name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* A number up to the end of the text, or up to the character @end. */
static bool parse_number(const char *text, int base, char end, uint64_t *number,
			 const char **rest)
{
	char *after;

	/* strtoull() would take a sign, and spaces. */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &after, base);
	*rest = after;
	return !errno && (!*after || *after == end);
}

static bool parse_mode(const char *text, unsigned int *mode)
{
	const char *rest;
	uint64_t number;

	if (!parse_number(text, 8, '\0', &number, &rest) || number > 0666)
		return false;
	*mode = number;
	return true;
}

/* Bytes, or "64M" and the like. */
static bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit = "";
	unsigned int shift = 0;
	size_t length = strlen(text);
	char digits[32];
	const char *rest;

	if (!length || length >= sizeof(digits))
		return false;
	memcpy(digits, text, length + 1);
	unit = strchr(units, digits[length - 1]);
	if (unit) {
		shift = 10 * (unit - units + 1);
		digits[length - 1] = '\0';
	}
	if (!parse_number(digits, 10, '\0', bytes, &rest) ||
	    *bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static bool parse_id(const char *text, char end, unsigned int *id, const char **rest)
{
	uint64_t number;

	if (!parse_number(text, 10, end, &number, rest) || number >= UINT32_MAX)
		return false;
	*id = number;
	return true;
}

/* "UID", "UID:GID" or ":GID"; what is absent becomes -1. */
static bool parse_owner(const char *text, uid_t *uid, gid_t *gid)
{
	*uid = -1;
	*gid = -1;
	if (*text != ':' && !parse_id(text, ':', uid, &text))
		return false;
	return !*text || parse_id(text + 1, '\0', gid, &text);
}

static bool parse_seals(char *text, unsigned int *seals)
{
	static const struct {
		const char *name;
		unsigned int seal;
	} known[] = {
		{ "alloc", SHMZONE_SEAL_ALLOC },
		{ "limit", SHMZONE_SEAL_LIMIT },
		{ "write", SHMZONE_SEAL_WRITE },
		{ "seal", SHMZONE_SEAL_SEAL },
	};
	const char *word;
	size_t i;

	*seals = 0;
	for (word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (!strcmp(word, known[i].name))
				break;
		if (i == ARRAY_SIZE(known))
			return false;
		*seals |= known[i].seal;
	}
	return *seals;
}

/* "shmzone COMMAND WHAT NAME": both operands, or NULL. */
static char **what_and_name(int argc, char **argv)
{
	return getopt(argc, argv, "") == -1 ? operands(argc, argv, 2) : NULL;
}

static int exit_code(const char *name, int ret)
{
	return ret < 0 ? fail(name, -ret) : EXIT_OK;
}

/* The flags of a kind of zone, or 0. */
static unsigned int kind_flag(int c)
{
	switch (c) {
	case 'c':
		return SHMZ_COMMITTED;
	case 's':
		return SHMZ_STRICT;
	case 'o':
		return SHMZ_OWNED;
	case 'k':
		return SHMZ_CHECKED | SHMZ_OWNED;
	default:
		return 0;
	}
}

static bool parse_create(int argc, char **argv, struct shmz_options *opts)
{
	static const struct option options[] = {
		{ "limit", required_argument, NULL, 'l' },
		{ "mode", required_argument, NULL, 'm' },
		{ "committed", no_argument, NULL, 'c' },
		{ "strict", no_argument, NULL, 's' },
		{ "owned", no_argument, NULL, 'o' },
		{ "checked", no_argument, NULL, 'k' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "l:m:ckos", options, NULL)) != -1) {
		opts->flags |= kind_flag(c);
		if (kind_flag(c))
			continue;
		if (c == 'l' && parse_size(optarg, &opts->limit))
			continue;
		if (c == 'm' && parse_mode(optarg, &opts->mode))
			continue;
		return false;
	}
	return true;
}

int cmd_create(int argc, char **argv)
{
	struct shmz_options opts = {
		.size = sizeof(opts),
		.flags = SHMZ_EXCL | SHMZ_PERSIST,
	};
	char **operand;
	uint64_t bytes;
	struct shmz *z;

	if (!parse_create(argc, argv, &opts))
		return usage_error();
	operand = operands(argc, argv, 2);
	if (!operand || !parse_size(operand[1], &bytes))
		return usage_error();
	z = shmz_create(operand[0], bytes, &opts);
	if (!z)
		return fail(operand[0], errno);
	shmz_close(z);
	return EXIT_OK;
}

int cmd_chmod(int argc, char **argv)
{
	char **operand = what_and_name(argc, argv);
	unsigned int mode;

	if (!operand || !parse_mode(operand[0], &mode))
		return usage_error();
	return exit_code(operand[1], shmz_chmod(operand[1], mode));
}

int cmd_chown(int argc, char **argv)
{
	char **operand = what_and_name(argc, argv);
	uid_t uid;
	gid_t gid;

	if (!operand || !parse_owner(operand[0], &uid, &gid))
		return usage_error();
	return exit_code(operand[1], shmz_chown(operand[1], uid, gid));
}

int cmd_limit(int argc, char **argv)
{
	char **operand = what_and_name(argc, argv);
	uint64_t bytes;
	struct shmz *z;
	int ret;

	if (!operand || !parse_size(operand[0], &bytes))
		return usage_error();
	z = shmz_open(operand[1], SHMZ_MAP_RDONLY);
	if (!z)
		return fail(operand[1], errno);
	ret = shmz_set_limit(z, bytes);
	shmz_close(z);
	return exit_code(operand[1], ret);
}

int cmd_seal(int argc, char **argv)
{
	char **operand = what_and_name(argc, argv);
	unsigned int seals;
	struct shmz *z;
	int ret;

	if (!operand || !parse_seals(operand[0], &seals))
		return usage_error();
	z = shmz_open(operand[1], SHMZ_MAP_RDONLY);
	if (!z)
		return fail(operand[1], errno);
	ret = shmz_add_seals(z, seals);
	shmz_close(z);
	return exit_code(operand[1], ret);
}

int cmd_unlink(int argc, char **argv)
{
	const char *name = no_options(argc, argv);
	int ret;

	if (!name)
		return usage_error();
	ret = shmz_unlink(name);
	return ret ? fail(name, -ret) : EXIT_OK;
}
