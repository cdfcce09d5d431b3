// SPDX-License-Identifier: GPL-2.0
/*
 * The C++ memory resource. The kernel's harness is C, so this prints TAP itself.
 */
#include <cstdint>
#include <cstdio>
#include <map>
#include <new>
#include <string>
#include <vector>

#include <unistd.h>

#include <shmzone.hpp>

#define CHECK(condition)						\
do {									\
	if (!(condition)) {						\
		std::printf("# line %d: %s\n", __LINE__, #condition);	\
		return false;						\
	}								\
} while (0)

static const std::size_t zone_bytes = 1 << 20;

/* Frees that were refused. */
static std::uint64_t refused(shmz *zone)
{
	shmzone_stat stat = {};

	stat.size = sizeof(stat);
	if (shmz_stat(zone, &stat))
		return UINT64_MAX;
	return stat.out_bad_outside + stat.out_bad_misaligned + stat.out_bad_interior +
	       stat.out_bad_not_live + stat.out_bad_bytes;
}

static bool fill_and_empty(shmz *zone)
{
	shmzone::memory_resource memory(zone);
	std::pmr::map<int, std::pmr::string> words(&memory);
	std::pmr::vector<long double> numbers(&memory);

	for (int i = 0; i < 1000; i++) {
		words[i] = "a string that is too long to be kept in place";
		numbers.push_back(i);
	}
	CHECK(shmz_offset(zone, &words[7]));
	CHECK(shmz_offset(zone, words[7].data()));
	CHECK(shmz_offset(zone, numbers.data()));
	for (int i = 0; i < 1000; i += 2)
		words.erase(i);
	CHECK(words.at(999).size() == 45 && numbers[999] == 999);
	return true;
}

/* More of it than the zone could hold, if it were not freed. */
static bool containers(shmz *zone)
{
	for (int i = 0; i < 20; i++)
		CHECK(fill_and_empty(zone));
	CHECK(refused(zone) == 0);
	return true;
}

static bool alignment(shmz *zone)
{
	shmzone::memory_resource memory(zone);
	std::size_t page = sysconf(_SC_PAGESIZE), bytes, align;

	for (bytes = 0; bytes < 2 * page; bytes += bytes / 8 + 1) {
		for (align = 1; align <= page; align *= 2) {
			/* The first of a slab is aligned to a page. */
			void *objects[3];

			for (void *&object : objects) {
				object = memory.allocate(bytes, align);
				CHECK(reinterpret_cast<std::uintptr_t>(object) % align == 0);
			}
			for (void *object : objects)
				memory.deallocate(object, bytes, align);
		}
	}
	CHECK(refused(zone) == 0);
	return true;
}

static bool throws(shmz *zone)
{
	shmzone::memory_resource memory(zone);
	int thrown = 0;

	try {
		CHECK(!memory.allocate(2 * zone_bytes));
	} catch (const std::bad_alloc &) {
		thrown++;
	}
	try {
		CHECK(!memory.allocate(100, 2 * sysconf(_SC_PAGESIZE)));
	} catch (const std::bad_alloc &) {
		thrown++;
	}
	CHECK(thrown == 2);
	return true;
}

static bool equality_and_groups(shmz *zone)
{
	shmz *other = shmz_create(nullptr, zone_bytes, nullptr);
	shmzone::memory_resource plain(zone), grouped(zone, 3), elsewhere(other);
	void *object, *neighbour;
	std::size_t page = sysconf(_SC_PAGESIZE);

	CHECK(other);
	CHECK(plain == grouped && plain != elsewhere);
	CHECK(plain != *std::pmr::new_delete_resource());
	CHECK(grouped.group() == 3 && grouped.zone() == zone);
	object = plain.allocate(64);
	neighbour = grouped.allocate(64);
	CHECK(shmz_offset(zone, object) / page != shmz_offset(zone, neighbour) / page);
	plain.deallocate(neighbour, 64);
	grouped.deallocate(object, 64);
	CHECK(refused(zone) == 0);
	shmz_close(other);
	return true;
}

static const struct {
	const char *name;
	bool (*function)(shmz *zone);
} tests[] = {
	{ "containers", containers },
	{ "alignment", alignment },
	{ "throws", throws },
	{ "equality_and_groups", equality_and_groups },
};

int main()
{
	int number = 0, failed = 0;

	std::printf("TAP version 13\n1..%zu\n", sizeof(tests) / sizeof(tests[0]));
	for (const auto &test : tests) {
		shmz *zone = shmz_create(nullptr, zone_bytes, nullptr);
		bool ok = zone && test.function(zone);

		std::printf("%sok %d %s\n", ok ? "" : "not ", ++number, test.name);
		failed += !ok;
		shmz_close(zone);
	}
	return failed ? 1 : 0;
}
