# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts below selftests/ share. Sourced, never run.

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/shmzone
program=${0##*/}
# Read by the sourcing scripts.
# shellcheck disable=SC2034
readonly top cache program

say() {
	echo "$program: $*" >&2
}

die() {
	say "$@"
	exit 1
}

# as_root COMMAND...: run it directly as root, else through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "root is needed, or sudo, for: $*"
	fi
}
