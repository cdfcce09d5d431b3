// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * shmzone info: the kernel's interface, its limits and its size classes.
 */
#include "tool.h"

/* By bit; those of a kernel that is newer are numbers. */
static const char *const features[] = {
	"committed",
	"strict",
	"wait",
	"roots",
	"seals",
	"caches",
	"owned",
	"checked",
};

static void print_features(uint64_t bits)
{
	unsigned int i;

	printf("features     ");
	for (i = 0; i < 64; i++) {
		if (!(bits >> i & 1))
			continue;
		if (i < sizeof(features) / sizeof(features[0]))
			printf(" %s", features[i]);
		else
			printf(" %u", i);
	}
	printf("\n");
}

static void print_limits(const struct shmzone_info *info)
{
	char text[QUANTITY_MAX];

	printf("interface     version %u\n", info->out_abi_version);
	print_features(info->out_features);
	printf("page          %s\n", quantity(text, info->out_page_bytes));
	printf("largest zone  %s\n", quantity(text, info->out_zone_bytes_max));
	printf("name          up to %u bytes\n", info->out_name_max);
	printf("batch         up to %u objects\n", info->out_batch_max);
	printf("groups        %u\n", info->out_group_count);
	printf("zones         %llu exist now\n", info->out_zones);
	printf("refused       %llu calls on /dev/shmzone\n",
	       info->out_refused_calls);
}

static void print_classes(const struct shmzone_class *classes,
			  const struct shmzone_info *info)
{
	char slab[QUANTITY_MAX];
	uint32_t i;

	printf("\n%5s %10s %10s %10s\n", "class", "slot bytes", "slab",
	       "slots");
	printf("%5d %10s %10s %10s\n", SHMZONE_CLASS_SPAN, "span", "-", "-");
	for (i = 1; i < info->out_class_count && i < info->class_count; i++)
		printf("%5u %10u %10s %10u\n", i, classes[i].slot_bytes,
		       quantity(slab, (uint64_t)classes[i].slab_pages *
					      info->out_page_bytes),
		       classes[i].slab_slots);
}

int cmd_info(int argc, char **argv)
{
	struct shmzone_class classes[SHMZONE_CLASSES];
	struct shmzone_info info = {
		.size = sizeof(info),
		.classes = (uintptr_t)classes,
		.class_count = SHMZONE_CLASSES,
		.class_size = sizeof(classes[0]),
	};
	int ret;

	if (getopt(argc, argv, "") != -1 || optind != argc)
		return usage_error();
	ret = shmz_info(NULL, &info);
	if (ret)
		return fail("/dev/shmzone", -ret);
	print_limits(&info);
	print_classes(classes, &info);
	return EXIT_OK;
}
