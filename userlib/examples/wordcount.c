// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Count words with several processes in one zone.
 *
 * A hash table lies in the zone, and each of its nodes is a slot of just the
 * size its word needs. Nothing in the table is a pointer; nodes are linked by
 * their offsets, so that every process may have the zone at another address.
 *
 * Processes insert nodes by compare-and-swap on the head of a chain, and nodes
 * stay until "free" takes the table apart. There is no lock, so none can be
 * left behind by a process that is killed.
 *
 * How do the workers find the table? "keep" prints its offset, and the others
 * get it as an argument.
 *
 * A word is a longest run of the letters a to z, in either case. It belongs to
 * the part of the text in which it begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <shmzone.h>

#define ZONE_BYTES	(1ULL << 30)
#define BUCKETS		(1U << 15)
#define TABLE_MAGIC	0x7461626c65776f72ULL

/* Text read between two updates of table.progress. */
#define PROGRESS_BYTES	(16U << 10)

struct node {
	uint64_t next;		/* offset of a node, or 0; fixed once inserted */
	_Atomic uint64_t count;
	uint32_t length;
	char word[];		/* in lower case, not terminated */
};

struct table {
	uint64_t magic;
	_Atomic uint64_t progress;	/* bytes of text dealt with by all */
	_Atomic uint64_t head[BUCKETS];
};

static struct shmz *zone;
static struct table *table;

static void die(const char *what, int err)
{
	fprintf(stderr, "wordcount: %s: %s\n", what, strerror(err));
	exit(1);
}

static uint64_t number(const char *arg)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(arg, &end, 0);
	if (errno || end == arg || *end)
		die(arg, EINVAL);
	return value;
}

static void open_zone(const char *name)
{
	zone = shmz_open(name, 0);
	if (!zone)
		die(name, errno);
}

static void open_table(const char *name, const char *offset)
{
	open_zone(name);
	table = shmz_pointer(zone, number(offset));
	if (!table || shmz_usable_size(zone, table) < sizeof(*table) ||
	    table->magic != TABLE_MAGIC)
		die("there is no table at this offset", EINVAL);
}

/* Hold the zone, which would otherwise go with its last user, until killed. */
static int cmd_keep(char **arg)
{
	struct shmz_options opts = { .size = sizeof(opts), .flags = SHMZ_EXCL };

	zone = shmz_create(arg[0], ZONE_BYTES, &opts);
	if (!zone)
		die(arg[0], errno);
	table = shmz_zalloc(zone, sizeof(*table));
	if (!table)
		die("table", errno);
	table->magic = TABLE_MAGIC;
	printf("%llu\n", (unsigned long long)shmz_offset(zone, table));
	fflush(stdout);
	pause();
	return 0;
}

static char lower(char c)
{
	return c | 0x20;
}

static bool is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool same_word(const struct node *node, const char *word, size_t length)
{
	size_t i;

	if (node->length != length)
		return false;
	for (i = 0; i < length; i++)
		if (node->word[i] != lower(word[i]))
			return false;
	return true;
}

/* FNV-1a */
static _Atomic uint64_t *bucket_of(const char *word, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	size_t i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)lower(word[i])) * 0x100000001b3ULL;
	return &table->head[(hash ^ hash >> 32) % BUCKETS];
}

/* Look at the nodes from offset @from on, up to but without offset @to. */
static struct node *find(uint64_t from, uint64_t to, const char *word,
			 size_t length)
{
	struct node *node;

	for (; from != to; from = node->next) {
		node = shmz_pointer(zone, from);
		if (same_word(node, word, length))
			return node;
	}
	return NULL;
}

static struct node *new_node(const char *word, size_t length)
{
	struct node *node = shmz_alloc(zone, offsetof(struct node, word) + length);
	size_t i;

	if (!node)
		die("node", errno);
	atomic_init(&node->count, 1);
	node->length = length;
	for (i = 0; i < length; i++)
		node->word[i] = lower(word[i]);
	return node;
}

/*
 * Insert at the head of the chain. If others were faster, what they inserted
 * is looked through before the next attempt: each word gets one node only.
 */
static void count_word(const char *word, size_t length)
{
	_Atomic uint64_t *head = bucket_of(word, length);
	uint64_t first = atomic_load(head);
	struct node *found = find(first, 0, word, length);
	struct node *node = NULL;

	while (!found) {
		if (!node)
			node = new_node(word, length);
		node->next = first;
		if (atomic_compare_exchange_strong(head, &first,
						   shmz_offset(zone, node)))
			return;
		found = find(first, node->next, word, length);
	}
	atomic_fetch_add(&found->count, 1);
	shmz_free(zone, node);
}

struct text {
	const char *at;
	size_t bytes;
};

static struct text map_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct text text;
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st))
		die(path, errno);
	at = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		die(path, errno);
	close(fd);
	text.at = at;
	text.bytes = st.st_size;
	return text;
}

/* Count the words that begin in [begin, end); returns how many. */
static uint64_t count_range(const struct text *text, size_t begin, size_t end)
{
	size_t i = begin;
	size_t reported = begin;
	uint64_t words = 0;
	size_t start;

	/* A word that began in the part before is not ours. */
	while (i && i < end && is_letter(text->at[i]) &&
	       (i > begin || is_letter(text->at[i - 1])))
		i++;
	while (i < end) {
		for (start = i; i < text->bytes && is_letter(text->at[i]);)
			i++;
		if (i > start) {
			count_word(text->at + start, i - start);
			words++;
		}
		i++;
		if (i - reported >= PROGRESS_BYTES && i <= end) {
			atomic_fetch_add(&table->progress, i - reported);
			reported = i;
		}
	}
	atomic_fetch_add(&table->progress, end - reported);
	return words;
}

static int cmd_count(char **arg)
{
	struct text text = map_text(arg[2]);
	uint64_t part = number(arg[3]);
	uint64_t parts = number(arg[4]);
	uint64_t words;

	if (!part || part > parts)
		die("part", EINVAL);
	open_table(arg[0], arg[1]);
	words = count_range(&text, text.bytes * (part - 1) / parts,
			    text.bytes * part / parts);
	printf("worker %llu of %llu: %llu words, zone mapped at %p\n",
	       (unsigned long long)part, (unsigned long long)parts,
	       (unsigned long long)words, shmz_base(zone));
	return 0;
}

/* Wait until at least so many bytes of text have been dealt with by all. */
static int cmd_wait(char **arg)
{
	uint64_t bytes = number(arg[2]);
	uint64_t progress;

	open_table(arg[0], arg[1]);
	while ((progress = atomic_load(&table->progress)) < bytes)
		usleep(1000);
	printf("%llu\n", (unsigned long long)progress);
	return 0;
}

static int cmd_dump(char **arg)
{
	struct node *node;
	uint64_t offset;
	unsigned int i;

	open_table(arg[0], arg[1]);
	for (i = 0; i < BUCKETS; i++)
		for (offset = table->head[i]; offset; offset = node->next) {
			node = shmz_pointer(zone, offset);
			printf("%llu %.*s\n",
			       (unsigned long long)atomic_load(&node->count),
			       (int)node->length, node->word);
		}
	return 0;
}

#define CHURN_OBJECTS	64
#define CHURN_BYTES_MAX	2000

static bool churn_one(void **object, size_t bytes)
{
	if (shmz_free(zone, *object))
		return false;
	*object = shmz_alloc(zone, bytes);
	if (*object)
		memset(*object, 0xee, bytes);
	return *object;
}

/* Allocate, scribble and free without pause. Meant to be killed. */
static int cmd_churn(char **arg)
{
	void *objects[CHURN_OBJECTS] = { 0 };
	uint32_t random = getpid();

	open_zone(arg[0]);
	do {
		random = random * 1664525 + 1013904223;
	} while (churn_one(&objects[random >> 8 & (CHURN_OBJECTS - 1)],
			   1 + (random >> 16) % CHURN_BYTES_MAX));
	fprintf(stderr, "wordcount: churn failed\n");
	return 1;
}

#define FREE_BATCH	256

static void free_nodes(void **nodes, size_t n)
{
	if (shmz_free_batch(zone, nodes, n) != (ssize_t)n)
		die("free", EINVAL);
}

/* Free all nodes and the table; nobody else may use it any more. */
static int cmd_free(char **arg)
{
	void *nodes[FREE_BATCH];
	uint64_t offset, freed = 0;
	size_t n = 0;
	unsigned int i;

	open_table(arg[0], arg[1]);
	for (i = 0; i < BUCKETS; i++)
		for (offset = table->head[i]; offset; freed++) {
			nodes[n] = shmz_pointer(zone, offset);
			offset = ((struct node *)nodes[n++])->next;
			if (n == FREE_BATCH) {
				free_nodes(nodes, n);
				n = 0;
			}
		}
	free_nodes(nodes, n);
	table->magic = 0;
	if (shmz_free_sized(zone, table, sizeof(*table)))
		die("free table", EINVAL);
	printf("%llu nodes freed\n", (unsigned long long)freed);
	return 0;
}

static const struct command {
	const char *name;
	const char *args;
	int arg_count;
	int (*run)(char **arg);
} commands[] = {
	{ "keep", "ZONE", 1, cmd_keep },
	{ "count", "ZONE TABLE FILE PART PARTS", 5, cmd_count },
	{ "wait", "ZONE TABLE BYTES", 3, cmd_wait },
	{ "dump", "ZONE TABLE", 2, cmd_dump },
	{ "churn", "ZONE", 1, cmd_churn },
	{ "free", "ZONE TABLE", 2, cmd_free },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int main(int argc, char **argv)
{
	const struct command *c;

	for (c = commands; c < commands + COMMANDS; c++)
		if (argc == c->arg_count + 2 && !strcmp(argv[1], c->name))
			return c->run(argv + 2);
	fprintf(stderr, "usage:\n");
	for (c = commands; c < commands + COMMANDS; c++)
		fprintf(stderr, "  wordcount %s %s\n", c->name, c->args);
	return 2;
}
