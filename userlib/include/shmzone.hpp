/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * shmzone::memory_resource: standard containers in a zone.
 *
 *	shmz *zone = shmz_create(nullptr, 1UL << 30, nullptr);
 *	shmzone::memory_resource memory(zone);
 *	std::pmr::vector<int> numbers(&memory);
 *
 * What a container allocates lies in the zone, its elements and nodes. But these
 * find each other by pointers, and the container object itself has one to the
 * resource, so it is a means to have memory in a zone, with its limit, its
 * figures and its group, in one process and the children it forks; not to share
 * a std::pmr::map with a process that maps the zone elsewhere.
 *
 * A resource is a handle and a group: it owns neither, may be used by many
 * threads at once, and must not be used after shmz_close(). Resources of the
 * same handle are equal whatever their groups: each can free what the other
 * allocated. Out of memory is std::bad_alloc, and so is an alignment of more
 * than a page. A free that the kernel refuses changes nothing and is counted.
 *
 * C++17; nothing to link but libshmzone.
 */
#ifndef SHMZONE_HPP
#define SHMZONE_HPP

#include <cstddef>
#include <memory_resource>
#include <new>

#include <shmzone.h>

namespace shmzone
{

class memory_resource : public std::pmr::memory_resource
{
public:
	explicit memory_resource(shmz *zone, unsigned int group = 0) noexcept
		: zone_(zone), group_(group)
	{
	}

	shmz *zone() const noexcept
	{
		return zone_;
	}

	unsigned int group() const noexcept
	{
		return group_;
	}

private:
	/* Whether objects are aligned so without being asked for it. */
	static bool natural(std::size_t bytes, std::size_t align) noexcept
	{
		return align <= 8 || (align == 16 && bytes && bytes % 16 == 0);
	}

	void *do_allocate(std::size_t bytes, std::size_t align) override
	{
		void *object = natural(bytes, align) ?
			       shmz_alloc_group(zone_, bytes, group_) :
			       shmz_aligned_alloc_group(zone_, align, bytes, group_);

		if (!object)
			throw std::bad_alloc();
		return object;
	}

	/* Of whichever alignment. */
	void do_deallocate(void *object, std::size_t bytes, std::size_t) override
	{
		shmz_free_sized(zone_, object, bytes);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		const memory_resource *peer = dynamic_cast<const memory_resource *>(&other);

		return peer && peer->zone_ == zone_;
	}

	shmz *zone_;
	unsigned int group_;
};

} /* namespace shmzone */

#endif /* SHMZONE_HPP */
