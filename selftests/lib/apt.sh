# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Fetching Debian packages without root: apt reads the machine's sources and
# keys, but its lists and its cache live under the user's own cache directory.
# Sourced after common.sh.

apt_options=(
	-q
	-o "Dir::State=$cache/apt/state"
	-o "Dir::Cache=$cache/apt/cache"
	-o "Dir::State::status=/var/lib/dpkg/status"
	-o "APT::Sandbox::User="
	-o "Acquire::Languages=none"
)

apt_update() {
	apt-get "${apt_options[@]}" update >/dev/null || die "apt-get update failed"
}

# apt_add_security: a minimal installation knows only Debian's main archive,
# but the 6.12 kernels are in the security archive, which mirrors keep beside
# it under the same name with "-security".
apt_add_security() {
	local known uri codename

	known=$(apt-get "${apt_options[@]}" indextargets \
		--format "\$(REPO_URI) \$(RELEASE)" 'Created-By: Packages' | sort -u)
	if grep -q -e '-security$' <<<"$known"; then
		return
	fi
	read -r uri codename < <(grep -v -e '-[a-z]*$' <<<"$known") || die "apt has no sources"
	say "apt has no security archive among its sources, using the one beside $uri"
	# Dir::Etc::sourceparts is a single directory: the machine's own sources
	# go there too.
	mkdir -p "$cache/apt/sources"
	cp -a /etc/apt/sources.list.d/. "$cache/apt/sources/"
	echo "deb ${uri%/}-security $codename-security main" \
		>"$cache/apt/sources/shmzone-security.list"
	apt_options+=(-o "Dir::Etc::sourceparts=$cache/apt/sources")
	apt_update
}

# apt_lists: reads the package lists anew. They are used at once and not
# again, so that what they name is still on the mirror.
apt_lists() {
	command -v apt-get >/dev/null ||
		die "no apt here: kernels for the tests come as Debian packages;" \
		    "to build alone, run: make KDIR=/path/to/kernel/headers"
	mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial"
	say "reading package lists"
	apt_update
	apt_add_security
}

# apt_newest REGEX: the newest version of the packages whose whole names match.
apt_newest() {
	apt-cache "${apt_options[@]}" pkgnames | grep -E -x -e "$1" | sort -V | tail -n 1
}

# apt_depends PACKAGE: what it directly depends on, a name a line.
apt_depends() {
	apt-cache "${apt_options[@]}" depends --important "$1" |
		sed -n 's/^ *|\?Depends: //p'
}

# apt_unpack DIRECTORY PACKAGE...: downloads them and unpacks them there.
apt_unpack() {
	local directory=$1 debs=$1.debs
	shift
	mkdir -p "$directory" "$debs"
	say "downloading $*"
	(cd "$debs" && apt-get "${apt_options[@]}" download "$@" >/dev/null) ||
		die "apt-get could not download: $*"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$directory"
	done
	rm -rf "$debs"
}
