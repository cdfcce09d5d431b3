// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of the ABI for the fuzzer, field by field. Of a call's arguments
 * the first is the descriptor, the second where the structure lies, and each of
 * the others one field. A field whose argument is 0 makes sense.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../utils.h"
#include "fuzz.h"

enum kind {
	NUMBER,		/* whatever follows from the argument */
	SIZE,		/* of the structure, if nothing else is said */
	NAME,
	LENGTH,		/* of the name in the field before */
	FROM,		/* pointer to offsets */
	TO,		/* pointer to what the kernel fills */
	OBJECT,		/* offset, or the number of a client */
};

struct field {
	uint16_t at;
	uint8_t bytes;
	uint8_t kind;
	uint64_t otherwise;
};

#define FIELDS_MAX	(ARGS_MAX - 2)

struct command {
	const char *name;
	unsigned int cmd;
	uint32_t size;
	bool control;
	struct field fields[FIELDS_MAX];
};

#define FIELD(s, f, k, o)						\
	{ offsetof(struct shmzone_##s, f), sizeof(((struct shmzone_##s *)0)->f), k, o }
#define COMMAND(s, NAME_, control_, ...)				\
	{ #s, SHMZONE_##NAME_, sizeof(struct shmzone_##s), control_,	\
	  { FIELD(s, size, SIZE, 0), FIELD(s, flags, NUMBER, 0), __VA_ARGS__ } }

static const struct command commands[] = {
	COMMAND(info, INFO, true, FIELD(info, classes, TO, 0),
		FIELD(info, class_count, NUMBER, SHMZONE_CLASSES),
		FIELD(info, class_size, NUMBER, sizeof(struct shmzone_class))),
	COMMAND(create, CREATE, true, FIELD(create, zone_bytes, NUMBER, 16 * MIB),
		FIELD(create, limit_bytes, NUMBER, 0), FIELD(create, name, NAME, 0),
		FIELD(create, name_len, LENGTH, 0), FIELD(create, mode, NUMBER, 0666)),
	COMMAND(open, OPEN, true, FIELD(open, name, NAME, 0),
		FIELD(open, name_len, LENGTH, 0), FIELD(open, __reserved, NUMBER, 0)),
	COMMAND(unlink, UNLINK, true, FIELD(unlink, name, NAME, 0),
		FIELD(unlink, name_len, LENGTH, 0), FIELD(unlink, __reserved, NUMBER, 0)),
	COMMAND(list, LIST, true, FIELD(list, entries, TO, 0),
		FIELD(list, count, NUMBER, 16),
		FIELD(list, entry_size, NUMBER, sizeof(struct shmzone_entry)),
		FIELD(list, cursor, NUMBER, 0)),
	COMMAND(permit, PERMIT, true, FIELD(permit, name, NAME, 0),
		FIELD(permit, name_len, LENGTH, 0), FIELD(permit, mode, NUMBER, 0600),
		FIELD(permit, uid, NUMBER, 0), FIELD(permit, gid, NUMBER, 0)),
	COMMAND(alloc, ALLOC, false, FIELD(alloc, bytes, NUMBER, 64),
		FIELD(alloc, offsets, TO, 0), FIELD(alloc, count, NUMBER, 1),
		FIELD(alloc, align, NUMBER, 0), FIELD(alloc, group, NUMBER, 0),
		FIELD(alloc, __reserved, NUMBER, 0),
		FIELD(alloc, timeout_ns, NUMBER, 0)),
	COMMAND(free, FREE, false, FIELD(free, offsets, FROM, 0),
		FIELD(free, count, NUMBER, 1), FIELD(free, __reserved, NUMBER, 0),
		FIELD(free, bytes, NUMBER, 0)),
	COMMAND(query, QUERY, false, FIELD(query, offset, OBJECT, 0)),
	COMMAND(reopen, REOPEN, false, FIELD(reopen, __reserved[0], NUMBER, 0)),
	COMMAND(set_limit, SET_LIMIT, false,
		FIELD(set_limit, limit_bytes, NUMBER, 8 * MIB)),
	COMMAND(add_seals, ADD_SEALS, false, FIELD(add_seals, seals, NUMBER, 0),
		FIELD(add_seals, __reserved, NUMBER, 0)),
	COMMAND(get_seals, GET_SEALS, false),
	COMMAND(stat, STAT, false),
	COMMAND(class_stat, CLASS_STAT, false, FIELD(class_stat, figures, TO, 0),
		FIELD(class_stat, first_class, NUMBER, 0),
		FIELD(class_stat, count, NUMBER, SHMZONE_CLASSES),
		FIELD(class_stat, group, NUMBER, SHMZONE_GROUP_ALL),
		FIELD(class_stat, figures_size, NUMBER,
		      sizeof(struct shmzone_class_figures))),
	COMMAND(root_get, ROOT_GET, false, FIELD(root_get, name, NAME, 0),
		FIELD(root_get, name_len, LENGTH, 0),
		FIELD(root_get, __reserved, NUMBER, 0)),
	COMMAND(root_set, ROOT_SET, false, FIELD(root_set, name, NAME, 0),
		FIELD(root_set, name_len, LENGTH, 0),
		FIELD(root_set, __reserved, NUMBER, 0),
		FIELD(root_set, offset, OBJECT, 0),
		FIELD(root_set, expected, NUMBER, 0)),
	COMMAND(root_list, ROOT_LIST, false, FIELD(root_list, roots, TO, 0),
		FIELD(root_list, count, NUMBER, 8),
		FIELD(root_list, root_size, NUMBER, sizeof(struct shmzone_root)),
		FIELD(root_list, after, NAME, 0), FIELD(root_list, after_len, LENGTH, 0)),
	COMMAND(cache_refill, CACHE_REFILL, false, FIELD(cache_refill, cache, NUMBER, 0),
		FIELD(cache_refill, size_class, NUMBER, 8),
		FIELD(cache_refill, group, NUMBER, 0),
		FIELD(cache_refill, __reserved, NUMBER, 0)),
	COMMAND(cache_drain, CACHE_DRAIN, false, FIELD(cache_drain, cache, NUMBER, 0),
		FIELD(cache_drain, size_class, NUMBER, 8),
		FIELD(cache_drain, group, NUMBER, 0),
		FIELD(cache_drain, __reserved, NUMBER, 0)),
	COMMAND(cache_reclaim, CACHE_RECLAIM, false),
	COMMAND(cache_client, CACHE_CLIENT, false),
	COMMAND(cache_sync, CACHE_SYNC, false, FIELD(cache_sync, client, OBJECT, 0),
		FIELD(cache_sync, timeout_ns, NUMBER, 1000000)),
	COMMAND(give, GIVE, false, FIELD(give, offsets, FROM, 0),
		FIELD(give, count, NUMBER, 1), FIELD(give, __reserved, NUMBER, 0),
		FIELD(give, client, NUMBER, 0)),
	COMMAND(offer, OFFER, false, FIELD(offer, offsets, FROM, 0),
		FIELD(offer, count, NUMBER, 1), FIELD(offer, __reserved, NUMBER, 0),
		FIELD(offer, client, NUMBER, 0)),
	COMMAND(take, TAKE, false, FIELD(take, offsets, FROM, 0),
		FIELD(take, count, NUMBER, 1), FIELD(take, __reserved, NUMBER, 0),
		FIELD(take, client, NUMBER, 0)),
	COMMAND(walk, WALK, false, FIELD(walk, objects, TO, 0),
		FIELD(walk, count, NUMBER, 8),
		FIELD(walk, object_size, NUMBER, sizeof(struct shmzone_object)),
		FIELD(walk, cursor, NUMBER, 0)),
	COMMAND(link, LINK, false, FIELD(link, offsets, FROM, 0),
		FIELD(link, count, NUMBER, 1), FIELD(link, __reserved, NUMBER, 0),
		FIELD(link, parent, OBJECT, 0)),
	COMMAND(check, CHECK, false),
};

unsigned int command_count(void)
{
	return sizeof(commands) / sizeof(commands[0]);
}

const char *command_name(unsigned int number)
{
	return commands[number].name;
}

unsigned int command_args(unsigned int number)
{
	unsigned int n = 0;

	while (n < FIELDS_MAX && commands[number].fields[n].bytes)
		n++;
	return n + 2;
}

static uint64_t field_value(const struct command *command,
			    const struct field *field, uint16_t raw,
			    uint64_t *length)
{
	switch (field->kind) {
	case SIZE:
		return number_value(raw, command->size);
	case NAME:
		return to_u64(name_value(raw, length));
	case LENGTH:
		return number_value(raw, *length);
	case FROM:
		return to_u64(from_value(raw));
	case TO:
		return to_u64(to_value(raw));
	case OBJECT:
		return object_value(raw);
	default:
		return number_value(raw, field->otherwise);
	}
}

/* What later calls can use of what the kernel answered. */
static void keep_results(const struct command *command, const void *filled, long ret)
{
	struct shmzone_cache_client client;
	struct shmzone_alloc answer;
	uint64_t offsets[16];
	uint32_t i, n;

	switch (command->cmd) {
	case SHMZONE_CREATE:
	case SHMZONE_OPEN:
	case SHMZONE_REOPEN:
		if (ret >= 0)
			state_add_fd(ret);
		break;
	case SHMZONE_ALLOC:
		if (ret || !guarded_copy(&answer, filled, sizeof(answer)))
			break;
		n = answer.out_count < 16 ? answer.out_count : 16;
		if (!guarded_copy(offsets, (void *)(uintptr_t)answer.offsets,
				  n * sizeof(offsets[0])))
			break;
		for (i = 0; i < n; i++)
			state_add_offset(offsets[i]);
		break;
	case SHMZONE_CACHE_CLIENT:
		if (guarded_copy(&client, filled, sizeof(client)))
			state_add_offset(client.out_client);
		break;
	}
}

long command_run(unsigned int number, const uint16_t *args)
{
	const struct command *command = &commands[number];
	void *structure = structure_value(args[1]);
	unsigned char bytes[512] = { 0 };
	uint64_t length = 0;
	unsigned int i;
	long ret;

	for (i = 0; i < FIELDS_MAX && command->fields[i].bytes; i++) {
		const struct field *field = &command->fields[i];
		uint64_t value = field_value(command, field, args[i + 2], &length);

		memcpy(bytes + field->at, &value, field->bytes);
	}
	/* What lies there already is as good, if it cannot be written. */
	guarded_copy(structure, bytes, args[1] ? command->size : sizeof(bytes));
	ret = ioctl(fd_value(args[0], command->control), command->cmd, structure);
	if (ret < 0)
		return -errno;
	keep_results(command, structure, ret);
	return 0;
}
