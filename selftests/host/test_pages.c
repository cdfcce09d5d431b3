// SPDX-License-Identifier: GPL-2.0
/* The page bitmap. */
#include "cases_main.h"
#include "../../kmod/tests/pages_cases.h"

int main(void)
{
	return host_cases_main(pages_cases, ARRAY_SIZE(pages_cases), pages_play);
}
