// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone stat: the figures of a zone, for people or for scripts.
 */
#include "tool.h"

struct request {
	const char *name;
	bool classes;
	bool raw;
};

static unsigned long long bad_frees(const struct shmzone_stat *st)
{
	return st->out_bad_outside + st->out_bad_misaligned +
	       st->out_bad_interior + st->out_bad_not_live + st->out_bad_bytes;
}

static void print_sizes(const struct shmzone_stat *st, const char *name)
{
	char a[QUANTITY_MAX], b[QUANTITY_MAX];

	printf("zone       %s, number %llu\n", name, st->out_id);
	printf("size       %s, limit %s\n", quantity(a, st->out_zone_bytes),
	       quantity(b, st->out_limit_bytes));
	printf("taken      %s: %llu slabs, %llu spans\n",
	       quantity(a, st->out_taken_bytes), st->out_slabs, st->out_spans);
	printf("live       %s in %llu objects, %.1f %% of what is taken\n",
	       quantity(a, st->out_live_bytes), st->out_live_objects,
	       percent(st->out_live_bytes, st->out_taken_bytes));
	if (st->out_caches)
		printf("cached     %s of that in %llu free slots of %llu caches\n",
		       quantity(a, st->out_cached_bytes), st->out_cached_objects,
		       st->out_caches);
	printf("memory     %s resident, %s in swap",
	       quantity(a, st->out_resident_bytes),
	       quantity(b, st->out_swapped_bytes));
	printf(", %s for the allocator\n", quantity(a, st->out_kernel_bytes));
}

static void print_events(const struct shmzone_stat *st)
{
	printf("requests   %llu, of them failed %llu\n", st->out_requests,
	       st->out_failures);
	printf("frees      %llu, refused %llu", st->out_frees, bad_frees(st));
	if (bad_frees(st))
		printf(": %llu outside, %llu misaligned, %llu interior, "
		       "%llu not live, %llu of another size",
		       st->out_bad_outside, st->out_bad_misaligned,
		       st->out_bad_interior, st->out_bad_not_live,
		       st->out_bad_bytes);
	printf("\nrefused    %llu calls\n", st->out_refused_calls);
}

static void print_raw(const struct shmzone_stat *st)
{
#define RAW(member)	printf("%s %llu\n", #member, st->out_##member)
	RAW(id);
	RAW(zone_bytes);
	RAW(limit_bytes);
	RAW(taken_bytes);
	RAW(live_bytes);
	RAW(live_objects);
	RAW(slabs);
	RAW(spans);
	RAW(resident_bytes);
	RAW(swapped_bytes);
	RAW(kernel_bytes);
	RAW(requests);
	RAW(failures);
	RAW(frees);
	RAW(bad_outside);
	RAW(bad_misaligned);
	RAW(bad_interior);
	RAW(bad_not_live);
	RAW(bad_bytes);
	RAW(refused_calls);
	RAW(cached_bytes);
	RAW(cached_objects);
	RAW(caches);
	RAW(revocations);
	RAW(bad_bins);
#undef RAW
}

static void print_class(const struct shmzone_class *class,
			const struct shmzone_class_figures *f)
{
	char slot[12] = "span";

	if (class->slot_bytes)
		snprintf(slot, sizeof(slot), "%u", class->slot_bytes);
	printf("%8s %8llu %10llu %10llu %5.1f%% %11llu %9llu %11llu\n", slot,
	       f->slabs, f->total, f->used, percent(f->used, f->total),
	       f->requests, f->failures, f->frees);
}

/* Classes that were never used are left out. */
static int print_classes(const struct shmz *z)
{
	struct shmzone_class_figures figures[SHMZONE_CLASSES];
	struct shmzone_class table[SHMZONE_CLASSES];
	int i, n;

	n = shmz_class_table(z, table, sizeof(table[0]), SHMZONE_CLASSES);
	if (n < 0)
		return n;
	n = shmz_class_stat(z, SHMZONE_GROUP_ALL, figures, sizeof(figures[0]),
			    n);
	if (n < 0)
		return n;
	printf("\n%8s %8s %10s %10s %6s %11s %9s %11s\n", "bytes", "slabs",
	       "total", "used", "", "requests", "failures", "frees");
	for (i = 0; i < n; i++)
		if (figures[i].requests)
			print_class(&table[i], &figures[i]);
	return 0;
}

static int print(const struct shmz *z, void *arg)
{
	const struct request *want = arg;
	struct shmzone_stat st = { .size = sizeof(st) };
	int ret = shmz_stat(z, &st);

	if (ret)
		return ret;
	if (want->raw) {
		print_raw(&st);
		return 0;
	}
	print_sizes(&st, want->name);
	print_events(&st);
	return want->classes ? print_classes(z) : 0;
}

static bool parse(int argc, char **argv, struct request *want)
{
	static const struct option options[] = {
		{ "classes", no_argument, NULL, 'c' },
		{ "raw", no_argument, NULL, 'r' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "cr", options, NULL)) != -1) {
		if (c == 'c')
			want->classes = true;
		else if (c == 'r')
			want->raw = true;
		else
			return false;
	}
	want->name = only_operand(argc, argv);
	return want->name && !(want->raw && want->classes);
}

int cmd_stat(int argc, char **argv)
{
	struct request want = { 0 };

	if (!parse(argc, argv, &want))
		return usage_error();
	return show_zone(want.name, print, &want);
}
