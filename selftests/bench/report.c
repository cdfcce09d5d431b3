// SPDX-License-Identifier: GPL-2.0
/*
 * From figures to JSON and from there to the table.
 *
 * A row's process collects its figures as a JSON array, which is all that the
 * program gets of it. The table is printed from that array, so that it and the
 * file cannot differ. Keys of an entry:
 *
 *	name where value unit peer peer_value ratio	the figure
 *	min instructions peer_instructions		beside it
 *	rounds noise					noise: half the median's
 *							interval, as a part of it
 *	bar bar_of holds verdict			holds: null if not known
 *
 * What there is nothing to be said of is null.
 */
#include "bench.h"

#include <math.h>

static const char *running_row;
static json_t *collected;

/* Figures. */

struct figure figure_none(const char *where, const char *unit)
{
	return (struct figure){
		.where = where,
		.value = estimate_none(),
		.unit = unit,
		.instructions = NAN,
		.peer_value = estimate_none(),
		.ratio = estimate_none(),
		.peer_instructions = NAN,
		.rounds = 1,
	};
}

static double instructions_of(const struct sample *sample)
{
	return watch_counts() ? estimate_of(sample->instructions, sample->rounds).median : NAN;
}

struct figure figure_of(const char *where, const struct sample *sample)
{
	struct figure figure = figure_none(where, watch_unit());

	figure.value = estimate_of(sample->ns, sample->rounds);
	figure.rounds = sample->rounds;
	figure.instructions = instructions_of(sample);
	return figure;
}

void figure_beside(struct figure *figure, const struct sample *sample, const char *peer,
		   const struct sample *peer_sample)
{
	figure->peer = peer;
	figure->peer_value = estimate_of(peer_sample->ns, peer_sample->rounds);
	figure->ratio = estimate_ratio(sample->ns, peer_sample->ns, sample->rounds);
	figure->peer_instructions = instructions_of(peer_sample);
}

void figure_beside_exact(struct figure *figure, const char *peer, double value)
{
	figure->peer = peer;
	figure->peer_value = estimate_exact(value);
	figure->ratio = estimate_exact(figure->value.median / value);
}

void figure_bar(struct figure *figure, enum bar_of bar_of, double bar)
{
	figure->bar_of = bar_of;
	figure->bar = bar;
}

/* To JSON. */

static json_t *number(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *text(const char *string)
{
	return string ? json_string(string) : json_null();
}

static const struct estimate *barred(const struct figure *figure)
{
	return figure->bar_of == BAR_OF_RATIO ? &figure->ratio : &figure->value;
}

/*
 * Whether a bar is reached: 1 or 0, or -1 for a machine too noisy to tell. Load
 * by others slows a value down for as long as it lasts, where both sides of a
 * ratio suffer; so a value that was seen to reach its bar does not miss it.
 */
static int reached(const struct figure *figure)
{
	const struct estimate *estimate = barred(figure);
	double least = figure->bar_of == BAR_OF_RATIO ? estimate->low : estimate->min;

	if (estimate->high <= figure->bar)
		return 1;
	return least > figure->bar ? 0 : -1;
}

static const char *verdict(const struct figure *figure)
{
	static const char *const words[] = { "too noisy", "does not hold", "holds" };

	if (figure->lacks || figure->bar_of == BAR_NONE)
		return figure->lacks;
	return words[reached(figure) + 1];
}

static json_t *holds(const struct figure *figure)
{
	int known = figure->lacks || figure->bar_of == BAR_NONE ? -1 : reached(figure);

	return known < 0 ? json_null() : json_boolean(known);
}

/* Of what the bar is for; else of the ratio, if there is one. */
static double noise(const struct figure *figure)
{
	const struct estimate *estimate = &figure->value;

	if (figure->bar_of == BAR_OF_RATIO ||
	    (figure->bar_of == BAR_NONE && !isnan(figure->ratio.median)))
		estimate = &figure->ratio;
	return (estimate->high - estimate->low) / 2 / estimate->median;
}

void report(const struct figure *figure)
{
	static const char *const bar_names[] = {
		[BAR_OF_VALUE] = "value",
		[BAR_OF_RATIO] = "ratio",
	};
	json_t *entry = json_object();

	json_object_set_new(entry, "name", text(running_row));
	json_object_set_new(entry, "where", text(figure->where));
	json_object_set_new(entry, "value", number(figure->value.median));
	json_object_set_new(entry, "unit", text(figure->unit));
	json_object_set_new(entry, "peer", text(figure->peer));
	json_object_set_new(entry, "peer_value", number(figure->peer_value.median));
	json_object_set_new(entry, "ratio", number(figure->ratio.median));
	json_object_set_new(entry, "min", number(figure->value.min));
	json_object_set_new(entry, "instructions", number(figure->instructions));
	json_object_set_new(entry, "peer_instructions", number(figure->peer_instructions));
	json_object_set_new(entry, "rounds", json_integer(figure->rounds));
	json_object_set_new(entry, "noise", number(noise(figure)));
	json_object_set_new(entry, "bar", number(figure->bar_of ? figure->bar : NAN));
	json_object_set_new(entry, "bar_of", text(bar_names[figure->bar_of]));
	json_object_set_new(entry, "holds", holds(figure));
	json_object_set_new(entry, "verdict", text(verdict(figure)));
	json_array_append_new(collected, entry);
}

void report_begin(const char *row)
{
	running_row = row;
	collected = json_array();
}

json_t *report_end(void)
{
	return collected;
}

/* From JSON. */

static const char *string_of(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key)) ?: "";
}

static double number_of(const json_t *entry, const char *key)
{
	const json_t *value = json_object_get(entry, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Prints a number in as many digits as mean something, or "-". */
static void print_number(double value, int width, const char *after)
{
	double size = fabs(value);
	int digits = size < 10 ? 3 : size < 100 ? 1 : 0;

	if (isnan(value))
		printf(" %*s%*s", width, "-", (int)strlen(after), "");
	else
		printf(" %*.*f%s", width, digits, value, after);
}

static void print_bar(const json_t *entry)
{
	const char *what = string_of(entry, "bar_of");
	double bar = number_of(entry, "bar");
	char words[32] = "";

	if (!isnan(bar))
		snprintf(words, sizeof(words), "%g%s", bar, strcmp(what, "ratio") ? "" : " x");
	printf("  %-6s %s\n", words, string_of(entry, "verdict"));
}

void report_print_head(void)
{
	printf("  %-34s %7s %-5s %7s %7s  %-19s %7s %7s %8s %7s  %s\n", "where", "value", "",
	       "minimum", "instr.", "beside", "value", "ratio", "noise", "at most", "");
}

static void print_entry(const json_t *entry)
{
	printf("  %-34s", string_of(entry, "where"));
	print_number(number_of(entry, "value"), 7, "");
	printf(" %-5s", string_of(entry, "unit"));
	print_number(number_of(entry, "min"), 7, "");
	print_number(number_of(entry, "instructions"), 7, "");
	printf("  %-19s", string_of(entry, "peer"));
	print_number(number_of(entry, "peer_value"), 7, "");
	print_number(number_of(entry, "ratio"), 7, "");
	print_number(number_of(entry, "noise") * 100, 6, " %");
	print_bar(entry);
}

void report_print(const json_t *figures)
{
	static char last[64];
	const char *name;
	json_t *entry;
	size_t i;

	json_array_foreach(figures, i, entry) {
		name = string_of(entry, "name");
		if (strcmp(name, last))
			printf("%s\n", name);
		print_entry(entry);
		snprintf(last, sizeof(last), "%s", name);
	}
	fflush(stdout);
}

void report_print_sum(const json_t *figures)
{
	u32 hold = 0, miss = 0, noisy = 0, lacking = 0;
	const json_t *holds;
	json_t *entry;
	size_t i;

	json_array_foreach(figures, i, entry) {
		holds = json_object_get(entry, "holds");
		hold += json_is_true(holds);
		miss += json_is_false(holds);
		if (json_is_null(holds))
			noisy += !json_is_null(json_object_get(entry, "bar"));
		lacking += json_is_null(json_object_get(entry, "value"));
	}
	printf("%u bars hold, %u do not, %u too noisy", hold, miss, noisy);
	if (lacking)
		printf(", %u not measured", lacking);
	printf("\n");
}
