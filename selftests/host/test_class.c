// SPDX-License-Identifier: GPL-2.0
/* The size classes, also built for pages of 16 and 64 KiB. */
#include "cases_main.h"
#include "../../kmod/tests/class_cases.h"

int main(void)
{
	return host_cases_main(class_cases, ARRAY_SIZE(class_cases), NULL);
}
