/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of the shmzone tool share.
 *
 * Each subcommand has a file and one function, which parses its own arguments
 * and returns the exit code. What fails is said in one line on stderr.
 */
#ifndef SHMZONE_TOOL_H
#define SHMZONE_TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include <shmzone.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum {
	EXIT_OK,
	EXIT_FAILED,	/* the system said no */
	EXIT_USAGE,	/* the command line makes no sense */
};

int cmd_info(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_roots(int argc, char **argv);
int cmd_walk(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_chmod(int argc, char **argv);
int cmd_chown(int argc, char **argv);
int cmd_limit(int argc, char **argv);
int cmd_seal(int argc, char **argv);
int cmd_unlink(int argc, char **argv);

/* Say that @err kept @what from working, with a hint; returns EXIT_FAILED. */
int fail(const char *what, int err);

/* Point to the help text; returns EXIT_USAGE. */
int usage_error(void);

/* The @n operands left after getopt_long(), or NULL if they are not as many. */
char **operands(int argc, char **argv, int n);

/* The operand left after getopt_long(), or NULL if there is not just one. */
const char *only_operand(int argc, char **argv);

/* The only argument, or NULL if there are others, or none. */
const char *no_options(int argc, char **argv);

/*
 * Let @show, which returns 0 or a negative errno value, have a zone to read from, and
 * @arg; NULL for a name is wrong usage. Returns the exit code.
 */
int show_zone(const char *name, int (*show)(const struct shmz *z, void *arg), void *arg);

/* Long enough for any quantity(). */
#define QUANTITY_MAX	16

/* @bytes as "1.5 GiB", written into and returned as @text. */
char *quantity(char text[QUANTITY_MAX], uint64_t bytes);

/* @part of @whole in per cent; 0 of nothing. */
double percent(uint64_t part, uint64_t whole);

#endif
