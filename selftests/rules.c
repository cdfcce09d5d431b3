// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of zones, each broken once with everything else right, and the errno
 * that this gives: the same for root and for an ordinary user, and for both in a
 * user and an IPC namespace of their own. Whoever it is has made the zone, so what
 * stands in the way is the rule and not the user; who may do what with a zone of
 * others is rights.c's matter.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "rules.h"

FIXTURE(rules) {
	int control;
};

FIXTURE_VARIANT(rules) {
	struct identity who;
};

FIXTURE_VARIANT_ADD(rules, root) {};

FIXTURE_VARIANT_ADD(rules, user) {
	.who.uid = STRANGER,
};

FIXTURE_VARIANT_ADD(rules, root_inside) {
	.who.inside = true,
};

FIXTURE_VARIANT_ADD(rules, user_inside) {
	.who.uid = STRANGER,
	.who.inside = true,
};

/* A user of a namespace that root made. */
FIXTURE_VARIANT_ADD(rules, users_inside) {
	.who.inner_uid = STRANGER,
	.who.inside = true,
};

static int is_anyone(void *arg)
{
	return be(arg) ? 0 : 1;
}

FIXTURE_SETUP(rules)
{
	/* The node is for root and a group; whoever is given a descriptor may use it. */
	self->control = control_fd();
	if (in_child(is_anyone, (void *)&variant->who))
		SKIP(return, "no user namespaces");
}

FIXTURE_TEARDOWN(rules)
{
	close(self->control);
}

struct attempt {
	const struct rule *rule;
	int control;
	const struct identity *who;
};

static bool make_place(struct place *p)
{
	struct shmzone_create args = {
		SIZED(shmzone_create),
		.zone_bytes = PLACE_BYTES,
		.limit_bytes = PLACE_BYTES / 2,
		.mode = 0600,
	};

	snprintf(p->name, sizeof(p->name), "%s", fresh_name());
	args.name = to_u64(p->name);
	args.name_len = strlen(p->name);
	p->zone = _try_call(p->control, SHMZONE_CREATE, &args);
	p->reader = _try_reopen(p->zone, SHMZONE_OPEN_RDONLY);
	return p->reader >= 0 && _try_alloc(p->zone, 100, 1, &p->object) == 1;
}

static int break_it(void *arg)
{
	const struct attempt *a = arg;
	struct place place = { .control = a->control, .parameter = -1 };
	char path[128];
	int ret;

	if (a->rule->parameter) {
		snprintf(path, sizeof(path), "/sys/module/shmzone/parameters/%s",
			 a->rule->parameter);
		place.parameter = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (!be(a->who) || !make_place(&place))
		return -NO_PLACE;
	ret = a->rule->break_it(&place, a->rule->arg);
	/* Descriptors and counts are successes. */
	return ret < 0 ? -ret : 0;
}

static const char *in_words(int result)
{
	static char text[32];

	if (!result)
		return "allowed";
	if (result == NO_PLACE)
		return "without a zone to try it on";
	if (result <= SIGNAL(1) && result > NO_EVENT)
		snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(SIGNAL(0) - result));
	else
		snprintf(text, sizeof(text), "%s", strerrorname_np(-result) ?: "wrong");
	return text;
}

static bool holds(FIXTURE_DATA(rules) *self, const struct identity *who,
		  const struct rule *rule)
{
	struct attempt attempt = { rule, self->control, who };
	bool exempt = rule->parameter && !who->uid && !who->inside;
	unsigned long long before = rule->parameter ? get_parameter(rule->parameter) : 0;
	int ended = in_child(break_it, &attempt);

	if (rule->parameter && !set_parameter(rule->parameter, before))
		return false;
	if (ended == (exempt ? 0 : -rule->result))
		return true;
	if (ended < 0)
		fprintf(stderr, "# %s: killed by SIG%s\n", rule->name, sigabbrev_np(-ended));
	else
		fprintf(stderr, "# %s: %s\n", rule->name, in_words(-ended));
	return false;
}

#define all_hold(rules)							\
do {									\
	const struct rule *_rule;					\
									\
	for (_rule = (rules); _rule->name; _rule++)			\
		EXPECT_TRUE(holds(self, &variant->who, _rule));		\
} while (0)

TEST_F(rules, names)
{
	all_hold(name_rules);
}

TEST_F(rules, rights)
{
	all_hold(right_rules);
}

TEST_F(rules, limits)
{
	all_hold(limit_rules);
}

TEST_F(rules, kinds)
{
	all_hold(kind_rules);
}

TEST_F(rules, owners)
{
	all_hold(owner_rules);
}

TEST_F(rules, waiting)
{
	all_hold(wait_rules);
}

TEST_F(rules, roots)
{
	all_hold(root_rules);
}

TEST_F(rules, seals)
{
	all_hold(seal_rules);
}

TEST_HARNESS_MAIN
