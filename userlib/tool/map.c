// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone map: a picture of the pages of a zone by size class.
 *
 * The picture is a field of cells, each of which stands for the same number of
 * pages, a power of two, chosen so that all pages up to the last one in use fit
 * into a screenful. A cell shows the use that most of its taken pages have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runs.h"
#include "tool.h"

#define ROWS_MAX	16
#define COLUMNS_MAX	128

/* To the left of each row stands where it begins. */
#define MARGIN		12

#define LEGEND_WIDTH	26

struct cell {
	uint32_t pages[USES];
};

struct picture {
	const char *name;	/* of the zone */
	struct runs runs;
	struct cell *cells;
	uint64_t extent;	/* pages shown */
	uint64_t scale;		/* pages in a cell */
	unsigned int columns;
	unsigned int width;	/* of the terminal */
	bool color;
	uint64_t sum[USES];	/* pages */
	struct shmzone_class classes[64];
};

static char letter_of(unsigned int use)
{
	static const char letters[] =
	"#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+";

	return use == USE_FREE ? '.' : letters[use];
}

/* A colour of the 6x6x6 cube in the 256-colour palette with more white in it. */
static int pale(int color)
{
	int r = (color - 16) / 36;
	int g = (color - 16) / 6 % 6;
	int b = (color - 16) % 6;

	return 16 + 36 * (r < 4 ? 4 : r) + 6 * (g < 4 ? 4 : g) + (b < 4 ? 4 : b);
}

/* From blue, the smallest slots, to red; every other class is pale. */
static int color_of(unsigned int use)
{
	static const unsigned char rainbow[] = {
		33, 39, 45, 51, 50, 49, 48, 47, 46, 82, 118,
		154, 190, 226, 220, 214, 208, 202, 203, 204, 205, 206,
	};
	int color = rainbow[(use - 1) / 2 % ARRAY_SIZE(rainbow)];

	if (use == USE_SPAN)
		return 250;
	return use % 2 ? color : pale(color);
}

static void put_uses(const struct picture *pic, unsigned int use,
		     unsigned int times)
{
	if (pic->color && use == USE_FREE)
		printf("\033[90m");
	else if (pic->color)
		printf("\033[48;5;%d;30m", color_of(use));
	while (times--)
		putchar(letter_of(use));
	if (pic->color)
		printf("\033[0m");
}

static unsigned int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col)
		return ws.ws_col;
	return columns && atoi(columns) > 0 ? atoi(columns) : 80;
}

/* Rows begin at round addresses: their length is a power of two. */
static void choose_shape(struct picture *pic)
{
	pic->columns = 16;
	while (pic->columns < COLUMNS_MAX &&
	       MARGIN + 2 * pic->columns + 2 <= pic->width)
		pic->columns *= 2;
	pic->scale = 1;
	while (pic->extent > pic->scale * pic->columns * ROWS_MAX)
		pic->scale *= 2;
}

/* Spread a run over the cells it touches. */
static void add_run(struct picture *pic, const struct run *run)
{
	uint64_t page = run->first;
	uint64_t end = run->first + run->pages;
	uint64_t next;

	if (end > pic->extent)
		end = pic->extent;
	pic->sum[run->use] += end - page;
	for (; page < end; page = next) {
		next = (page / pic->scale + 1) * pic->scale;
		if (next > end)
			next = end;
		pic->cells[page / pic->scale].pages[run->use] += next - page;
	}
}

static uint64_t cell_count(const struct picture *pic)
{
	return (pic->extent + pic->scale - 1) / pic->scale;
}

static int fill(struct picture *pic)
{
	uint64_t page;
	struct run run;

	pic->cells = calloc(cell_count(pic) + 1, sizeof(*pic->cells));
	if (!pic->cells)
		return -ENOMEM;
	for (page = 0; page < pic->extent; page += run.pages) {
		run = runs_at(&pic->runs, page);
		add_run(pic, &run);
	}
	return 0;
}

/* The most frequent use; free only if there is no other. */
static unsigned int use_of(const struct cell *cell)
{
	unsigned int use, best = USE_FREE;
	uint32_t most = 0;

	for (use = 0; use < USE_FREE; use++)
		if (cell->pages[use] > most) {
			most = cell->pages[use];
			best = use;
		}
	return best;
}

/* The whole number of the largest unit that it can be said in. */
static void put_address(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned int i = 0;

	while (bytes && bytes % 1024 == 0 && i < 4) {
		bytes /= 1024;
		i++;
	}
	printf("%*llu %s ", MARGIN - 2 - (int)strlen(units[i]),
	       (unsigned long long)bytes, units[i]);
}

/* Where the cells of the row end that show the same use as cell @i. */
static uint64_t alike_until(const struct picture *pic, uint64_t i,
			    uint64_t count)
{
	unsigned int use = use_of(&pic->cells[i]);

	do
		i++;
	while (i < count && i % pic->columns && use_of(&pic->cells[i]) == use);
	return i;
}

static void put_rows(const struct picture *pic)
{
	uint64_t count = cell_count(pic);
	uint64_t i, end;

	for (i = 0; i < count; i = end) {
		if (i % pic->columns == 0)
			put_address(i * pic->scale * pic->runs.page_bytes);
		end = alike_until(pic, i, count);
		put_uses(pic, use_of(&pic->cells[i]), end - i);
		if (end % pic->columns == 0 || end == count)
			putchar('\n');
	}
}

static const char *name_of(const struct picture *pic, unsigned int use,
			   char text[QUANTITY_MAX])
{
	if (use == USE_FREE)
		return "free";
	if (use == USE_SPAN)
		return "spans";
	snprintf(text, QUANTITY_MAX, "%u B", pic->classes[use].slot_bytes);
	return text;
}

static void put_legend(const struct picture *pic)
{
	unsigned int per_row = pic->width / LEGEND_WIDTH;
	unsigned int use, shown = 0;
	char text[QUANTITY_MAX];

	for (use = 0; use < USES; use++) {
		if (!pic->sum[use])
			continue;
		if (per_row && shown && shown % per_row == 0)
			putchar('\n');
		shown++;
		printf("  ");
		put_uses(pic, use, 1);
		printf(" %-8s %7llu pages", name_of(pic, use, text),
		       (unsigned long long)pic->sum[use]);
	}
	putchar('\n');
}

static void put_picture(const struct picture *pic)
{
	char text[QUANTITY_MAX];

	if (!pic->extent) {
		printf("zone %s: nothing is taken\n", pic->name);
		return;
	}
	printf("zone %s: its first %s, a cell for ", pic->name,
	       quantity(text, pic->extent * pic->runs.page_bytes));
	if (pic->scale == 1)
		printf("each page\n");
	else
		printf("each %llu pages\n", (unsigned long long)pic->scale);
	put_rows(pic);
	put_legend(pic);
}

static int draw(const struct shmz *z, void *arg)
{
	struct picture *pic = arg;
	struct shmzone_stat st = { .size = sizeof(st) };
	int ret;

	ret = shmz_class_table(z, pic->classes, sizeof(pic->classes[0]),
			       ARRAY_SIZE(pic->classes));
	if (ret < 0)
		return ret;
	ret = shmz_stat(z, &st);
	if (ret)
		return ret;
	runs_init(&pic->runs, z);
	pic->extent = runs_extent(&pic->runs,
				  st.out_taken_bytes / pic->runs.page_bytes);
	choose_shape(pic);
	ret = fill(pic);
	if (!ret)
		put_picture(pic);
	free(pic->cells);
	return ret;
}

static bool color_is_welcome(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") &&
	       !(no_color && *no_color);
}

static bool parse_color(const char *when, bool *color)
{
	if (!strcmp(when, "auto"))
		*color = color_is_welcome();
	else if (!strcmp(when, "always"))
		*color = true;
	else if (!strcmp(when, "never"))
		*color = false;
	else
		return false;
	return true;
}

static const char *parse(int argc, char **argv, bool *color)
{
	static const struct option options[] = {
		{ "color", required_argument, NULL, 'C' },
		{ 0 }
	};
	const char *when = "auto";
	int c;

	while ((c = getopt_long(argc, argv, "C:", options, NULL)) != -1) {
		if (c != 'C')
			return NULL;
		when = optarg;
	}
	return parse_color(when, color) ? only_operand(argc, argv) : NULL;
}

int cmd_map(int argc, char **argv)
{
	struct picture pic = { .width = terminal_width() };

	pic.name = parse(argc, argv, &pic.color);
	return show_zone(pic.name, draw, &pic);
}
