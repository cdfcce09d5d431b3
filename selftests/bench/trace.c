// SPDX-License-Identifier: GPL-2.0
/*
 * Traces of real programs: recorded the first time, kept in the build directory.
 *
 * In a record an object is its address, of which the same may be many objects in
 * turn; in a trace it is a number, so that another allocator may put it where it
 * likes. A table of addresses that are live says which number it is. What was
 * allocated before the recording began is left out.
 */
#include "trace.h"
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* At most half full. */
#define TABLE_SIZE	(1U << 23)

const char *const trace_names[TRACES] = { "sqlite3", "python3", "cc1", "perl" };

/* What they are given to do: each some hundred thousand steps and more. */
static char *const run_sqlite3[] = {
	"/usr/bin/sqlite3", ":memory:",
	"create table t(a integer primary key, b text, c real);"
	"with recursive n(x) as (select 1 union all select x + 1 from n where x < 60000)"
	" insert into t select x, hex(x * 7919 % 65537), x / 3.0 from n;"
	"create index i on t(b);"
	"select count(*) from t x join t y on x.b = y.b where x.a < 20000;"
	"select b, group_concat(a) from t group by substr(b, 1, 3) order by b limit 1;"
	"update t set b = b || 'x' where a % 5 = 0; delete from t where a % 3 = 0;"
	"select sum(length(b)) from t;", NULL
};

static char *const run_python3[] = {
	"/usr/bin/python3", "-c",
	"import ast, glob, json\n"
	"names = sorted(glob.glob('/usr/lib/python3*/[a-j]*.py'))[:25]\n"
	"trees = [ast.parse(open(n).read()) for n in names]\n"
	"count = sum(1 for t in trees for n in ast.walk(t))\n"
	"text = json.dumps([{'n': i, 's': str(i) * 3} for i in range(20000)])\n"
	"print(count, len(json.loads(text)))\n", NULL
};

static char *const run_cc1[] = {
	CC1, "-quiet", "-O2", "-D_GNU_SOURCE", "-DHOST_FAST", "-imultiarch",
	"x86_64-linux-gnu", "-I", SOURCES "/selftests/host", "-include",
	SOURCES "/selftests/host/core_env.h", "-o", "/dev/null",
	SOURCES "/kmod/core/pages.c", NULL
};

static char *const run_perl[] = {
	"/usr/bin/perl", "-e",
	"my %h; for my $i (1 .. 60000) { my $k = 'k' . ($i * 7919 % 65537);"
	" $h{$k} = [$i, \"value $i\", { n => $i }]; delete $h{'k' . ($i / 2)} if $i % 3; }"
	" my @s = sort { $a cmp $b } map { my $x = $_; $x =~ s/(\\d+)/<$1>/g; $x } keys %h;"
	" print scalar(@s), \"\\n\" x (length(join ',', @s) > 0);", NULL
};

static char *const *const commands[TRACES] = { run_sqlite3, run_python3, run_cc1, run_perl };

/* Recording. */

static bool record(u32 index, const char *to)
{
	int status, null;
	pid_t pid;

	printf("recording %s\n", trace_names[index]);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		bench_die("no process");
	if (!pid) {
		setenv("SHMZONE_RECORD", to, 1);
		setenv("LD_PRELOAD", RECORDER, 1);
		setenv("PYTHONMALLOC", "malloc", 1);
		unsetenv("GLIBC_TUNABLES");
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		execv(commands[index][0], commands[index]);
		_exit(126);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

/* From addresses to numbers. */

/**
 * struct numbering - which numbers live objects have
 * @address: a table with linear probing, 0 for a free place
 * @number: numbers of these
 * @bytes: their sizes
 * @spare: numbers that are free again
 * @spares: how many
 * @used: numbers ever given
 * @live_bytes: sum of the sizes of what is live
 */
struct numbering {
	u64 *address;
	u32 *number;
	u32 *bytes;
	u32 *spare;
	u32 spares;
	u32 used;
	u64 live_bytes;
};

static u32 home(u64 address)
{
	return (address >> 3) * 0x9e3779b97f4a7c15ULL >> 41;
}

/* Where it is, or where it would be. */
static u32 place_of(const struct numbering *numbers, u64 address)
{
	u32 i = home(address);

	while (numbers->address[i] && numbers->address[i] != address)
		i = (i + 1) % TABLE_SIZE;
	return i;
}

static u32 number_add(struct numbering *numbers, u64 address, u32 bytes)
{
	u32 i = place_of(numbers, address);

	if (!numbers->address[i]) {
		numbers->address[i] = address;
		numbers->number[i] = numbers->spares ? numbers->spare[--numbers->spares] :
						       numbers->used++;
		numbers->bytes[i] = 0;
	}
	numbers->live_bytes += (u64)bytes - numbers->bytes[i];
	numbers->bytes[i] = bytes;
	return numbers->number[i];
}

/* The place gets empty; those behind it that were pushed there move up. */
static void number_remove(struct numbering *numbers, u32 i)
{
	u32 j = i;

	numbers->live_bytes -= numbers->bytes[i];
	for (;;) {
		numbers->address[i] = 0;
		do {
			j = (j + 1) % TABLE_SIZE;
			if (!numbers->address[j])
				return;
		} while ((j - home(numbers->address[j])) % TABLE_SIZE < (j - i) % TABLE_SIZE);
		numbers->address[i] = numbers->address[j];
		numbers->number[i] = numbers->number[j];
		numbers->bytes[i] = numbers->bytes[j];
		i = j;
	}
}

/* Returns whether there is a step. */
static bool convert_one(struct numbering *numbers, const struct raw_record *raw,
			struct trace_step *step)
{
	u32 bytes = max(raw->bytes, 1U), i, number;

	*step = (struct trace_step){
		.bytes = raw->op == TRACE_DROP ? 0 : bytes,
		.op = raw->op,
		.align_shift = raw->align_shift,
		.thread = raw->thread,
	};
	if (raw->op != TRACE_DROP && raw->op != TRACE_RESIZE) {
		step->object = number_add(numbers, raw->object, bytes);
		return true;
	}
	i = place_of(numbers, raw->op == TRACE_DROP ? raw->object : raw->old);
	if (!numbers->address[i])
		return false;
	number = numbers->number[i];
	step->object = number;
	number_remove(numbers, i);
	numbers->spare[numbers->spares++] = number;
	/* The last number that got free is the next that is given. */
	if (raw->op == TRACE_RESIZE)
		number_add(numbers, raw->object, bytes);
	return true;
}

static struct trace *convert(const struct raw *raw)
{
	u64 n = min_t(u64, raw->records, RAW_MAX), i;
	struct trace *trace = bench_calloc(1, sizeof(*trace) + n * sizeof(trace->step[0]));
	struct numbering numbers = {
		.address = bench_calloc(TABLE_SIZE, sizeof(u64)),
		.number = bench_calloc(TABLE_SIZE, sizeof(u32)),
		.bytes = bench_calloc(TABLE_SIZE, sizeof(u32)),
		.spare = bench_calloc(n + 1, sizeof(u32)),
	};

	for (i = 0; i < n; i++)
		trace->steps += convert_one(&numbers, &raw->record[i],
					    &trace->step[trace->steps]);
	trace->magic = TRACE_MAGIC;
	trace->objects = numbers.used;
	trace->live_bytes = numbers.live_bytes;
	free(numbers.address);
	free(numbers.number);
	free(numbers.bytes);
	free(numbers.spare);
	return trace;
}

static size_t trace_bytes(const struct trace *trace)
{
	return sizeof(*trace) + trace->steps * sizeof(trace->step[0]);
}

/* Files. */

static const void *map_file(const char *name, size_t least)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	const void *content;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) || stat.st_size < least)
		return NULL;
	content = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	return content == MAP_FAILED ? NULL : content;
}

static void keep(const struct trace *trace, const char *name)
{
	FILE *file = fopen(name, "w");

	if (!file || fwrite(trace, trace_bytes(trace), 1, file) != 1 || fclose(file))
		bench_die("%s cannot be written", name);
}

static bool make_trace(u32 index, const char *name)
{
	char raw_name[4096 + sizeof(".raw")];
	const struct raw *raw;
	struct trace *trace;

	mkdir(TRACE_DIRECTORY, 0777);
	snprintf(raw_name, sizeof(raw_name), "%s.raw", name);
	if (!record(index, raw_name))
		return false;
	raw = map_file(raw_name, sizeof(*raw));
	if (!raw || !raw->records)
		return false;
	trace = convert(raw);
	keep(trace, name);
	free(trace);
	munmap((void *)raw, sizeof(*raw));
	unlink(raw_name);
	return true;
}

const struct trace *trace_get(u32 index)
{
	const struct trace *trace;
	char name[4096];

	snprintf(name, sizeof(name), TRACE_DIRECTORY "/%s", trace_names[index]);
	trace = map_file(name, sizeof(*trace));
	if (!trace && make_trace(index, name))
		trace = map_file(name, sizeof(*trace));
	if (trace && trace->magic != TRACE_MAGIC)
		bench_die("%s is not a trace: remove it", name);
	return trace;
}
