// SPDX-License-Identifier: GPL-2.0
/* The slots. */
#include "cases_main.h"
#include "../../kmod/tests/slots_cases.h"

int main(void)
{
	return host_cases_main(slots_cases, ARRAY_SIZE(slots_cases), NULL);
}
