// SPDX-License-Identifier: GPL-2.0
/* The directory. */
#include "cases_main.h"
#include "../../kmod/tests/dir_cases.h"

int main(void)
{
	return host_cases_main(dir_cases, ARRAY_SIZE(dir_cases), dir_play);
}
