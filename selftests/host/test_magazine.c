// SPDX-License-Identifier: GPL-2.0
/* The magazines. */
#include "cases_main.h"
#include "../../kmod/tests/magazine_cases.h"

int main(void)
{
	return host_cases_main(magazine_cases, ARRAY_SIZE(magazine_cases), NULL);
}
