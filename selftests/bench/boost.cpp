// SPDX-License-Identifier: GPL-2.0
/*
 * Boost.Interprocess's managed_shared_memory as functions of C, to be loaded as
 * any other allocator: see allocator.c. The segment loses its name at once;
 * children made by fork() have it at the same address.
 */
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/version.hpp>

#include <cstdlib>
#include <string>

#include <unistd.h>

using boost::interprocess::create_only;
using boost::interprocess::managed_shared_memory;
using boost::interprocess::shared_memory_object;

static managed_shared_memory *segment;

extern "C" void *peer_take(std::size_t bytes);
extern "C" void peer_drop(void *object);
extern "C" bool peer_begin(std::size_t bytes);

extern "C" bool peer_begin(std::size_t bytes)
{
	const std::string name = "shmzone-bench-" + std::to_string(getpid());

	try {
		segment = new managed_shared_memory(create_only, name.c_str(), bytes);
		shared_memory_object::remove(name.c_str());
	} catch (const boost::interprocess::interprocess_exception &) {
		return false;
	}
	return true;
}

extern "C" void *peer_take(std::size_t bytes)
{
	return segment->allocate(bytes, std::nothrow);
}

extern "C" void peer_drop(void *object)
{
	segment->deallocate(object);
}
