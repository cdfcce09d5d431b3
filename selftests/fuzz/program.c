// SPDX-License-Identifier: GPL-2.0
/*
 * Programs of the fuzzer: made at random, changed at random, and as text, a line
 * a call: its name and its arguments, without the zeros at the end. Everything
 * random comes from the state that is handed in.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Mostly what makes sense, then what nearly does, then anything. */
static uint16_t random_argument(__u64 *random)
{
	switch (next_random(random) % 8) {
	case 0:
		return next_random(random);
	case 1:
	case 2:
		return next_random(random) % 16;
	case 3:
		return next_random(random) % 256;
	default:
		return 0;
	}
}

static unsigned int random_op(__u64 *random)
{
	unsigned int sum = 0, at, op;

	for (op = 0; op < call_kinds(); op++)
		sum += call_weight(op);
	at = next_random(random) % sum;
	for (op = 0; at >= call_weight(op); op++)
		at -= call_weight(op);
	return op;
}

static void random_call(struct call *call, __u64 *random)
{
	unsigned int i;

	memset(call, 0, sizeof(*call));
	call->op = random_op(random);
	for (i = 0; i < call_args(call->op); i++)
		call->args[i] = random_argument(random);
}

void program_random(struct program *program, __u64 *random)
{
	unsigned int i;

	program->count = 1 + next_random(random) % (CALLS_MAX / 2);
	for (i = 0; i < program->count; i++)
		random_call(&program->calls[i], random);
}

static void insert_call(struct program *program, const struct call *call,
			unsigned int at)
{
	if (program->count == CALLS_MAX)
		program->count--;
	if (at > program->count)
		at = program->count;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->count - at) * sizeof(*call));
	program->calls[at] = *call;
	program->count++;
}

static void remove_call(struct program *program, unsigned int at)
{
	if (program->count < 2)
		return;
	program->count--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->count - at) * sizeof(program->calls[0]));
}

/* Its end replaced by the end of another one. */
static void splice(struct program *program, const struct program *other,
		   __u64 *random)
{
	unsigned int from = next_random(random) % other->count;

	program->count = next_random(random) % (program->count + 1);
	while (from < other->count && program->count < CALLS_MAX)
		program->calls[program->count++] = other->calls[from++];
}

static void mutate_once(struct program *program, const struct program *other,
			__u64 *random)
{
	unsigned int at = next_random(random) % program->count;
	struct call *call = &program->calls[at];
	struct call fresh;
	unsigned int args = call_args(call->op);

	switch (next_random(random) % 10) {
	case 0:
	case 1:
	case 2:
		random_call(&fresh, random);
		insert_call(program, &fresh, next_random(random) % (program->count + 1));
		break;
	case 3:
		remove_call(program, at);
		break;
	case 4:
		fresh = *call;
		insert_call(program, &fresh, next_random(random) % (program->count + 1));
		break;
	case 5:
		splice(program, other, random);
		break;
	default:
		if (args)
			call->args[next_random(random) % args] = random_argument(random);
		break;
	}
}

void program_mutate(struct program *program, const struct program *other,
		    __u64 *random)
{
	unsigned int times = 1 + next_random(random) % 4;

	while (times--)
		mutate_once(program, other, random);
}

unsigned long long program_hash(const struct program *program)
{
	unsigned long long hash = program->count;
	unsigned int i, arg;

	for (i = 0; i < program->count; i++) {
		hash = (hash ^ program->calls[i].op) * 0x9e3779b97f4a7c15ULL;
		for (arg = 0; arg < ARGS_MAX; arg++)
			hash = (hash ^ hash >> 29 ^ program->calls[i].args[arg]) *
			       0x9e3779b97f4a7c15ULL;
	}
	return hash ^ hash >> 32;
}

void program_print(const struct program *program, FILE *to)
{
	unsigned int i, arg, used;

	for (i = 0; i < program->count; i++) {
		const struct call *call = &program->calls[i];

		for (used = ARGS_MAX; used && !call->args[used - 1]; used--)
			;
		fputs(call_name(call->op), to);
		for (arg = 0; arg < used; arg++)
			fprintf(to, " %u", call->args[arg]);
		fputc('\n', to);
	}
}

/* A word is the name of a call or an argument of the one before. */
bool program_read(struct program *program, FILE *from)
{
	char line[512];

	memset(program, 0, sizeof(*program));
	while (fgets(line, sizeof(line), from) && program->count < CALLS_MAX) {
		struct call *call = &program->calls[program->count];
		char *word = strtok(line, " \t\n");
		unsigned int arg;
		int op;

		if (!word || *word == '#')
			continue;
		op = call_number(word);
		if (op < 0) {
			fprintf(stderr, "# no such call: %s\n", word);
			return false;
		}
		call->op = op;
		for (arg = 0; arg < ARGS_MAX; arg++) {
			word = strtok(NULL, " \t\n");
			if (!word)
				break;
			call->args[arg] = atoi(word);
		}
		program->count++;
	}
	return program->count > 0;
}
