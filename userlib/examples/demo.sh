#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# demo.sh TEXTDIR: count the words of real text with several processes in one
# zone, kill one process in the middle, and compare with sort and uniq.
#
# Needs the module loaded, as in the guest of "make demo". SHMZONE_BUILD is
# where the programs are; SHMZONE_COLOR is always, never or auto.

set -euo pipefail
export LC_ALL=C

here=$(dirname "$(realpath "$0")")
build=$(realpath "${SHMZONE_BUILD:-$here/../../build/userlib}")
PATH=$build:$build/examples:$PATH
color=${SHMZONE_COLOR:-auto}

text_bytes=3000000
workers=4
churn_objects=64
zone=demo.$$

die() {
	echo "demo: $*" >&2
	exit 1
}

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	die "usage: demo.sh TEXTDIR"
fi
[ -e /dev/shmzone ] || die "no /dev/shmzone: load the module, or run make demo"

tmp=$(mktemp -d)
keeper='' churn='' waiter='' counters=()
cleanup() {
	local pid
	for pid in $keeper $churn $waiter "${counters[@]}"; do
		kill -9 "$pid" 2>/dev/null || true
	done
	rm -rf "$tmp"
}
trap cleanup EXIT

say() {
	printf '\n==> %s\n' "$*"
}

note() {
	printf '    %s\n' "$@"
}

# The clock in milliseconds.
now() {
	echo $(($(date +%s%N) / 1000000))
}

# figure NAME: one of the zone's figures.
figure() {
	shmzone stat --raw "$zone" | sed -n "s/^$1 //p"
}

statistics() {
	shmzone stat "$@" "$zone" | sed 's/./    &/'
}

# until_true WHAT COMMAND...: retry for a while.
until_true() {
	local what=$1 tries=600
	shift
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || die "waited in vain for $what"
		sleep 0.1
	done
}

prepare_text() {
	find "$1" -maxdepth 2 -name '*.rst' | sort >"$tmp/files"
	[ -s "$tmp/files" ] || die "no .rst files in $1"
	# head ends before cat does, and is meant to.
	(set +o pipefail; tr '\n' '\0' <"$tmp/files" |
		xargs -0 cat 2>/dev/null | head -c $text_bytes >"$tmp/text") || true
	say "The text: $(wc -c <"$tmp/text") bytes of $1"
}

start_keeper() {
	say "One process creates zone $zone, puts an empty hash table into it and holds it"
	wordcount keep "$zone" >"$tmp/table" &
	keeper=$!
	until_true "the zone" test -s "$tmp/table"
	table=$(<"$tmp/table")
	note "1 GiB of address space; the table lies at offset $table"
	statistics
}

# What it frees goes into its cache, and only what that has no room for to the kernel.
is_churning() {
	[ "$(figure cached_objects)" -gt 0 ]
}

start_churn() {
	say "Another one allocates and frees in it without pause"
	wordcount churn "$zone" &
	churn=$!
	# Or the shell would report that it was killed.
	disown $churn
	until_true "the churning process" is_churning
	note "process $churn has $(figure cached_objects) free slots in its cache"
}

start_workers() {
	local part
	say "$workers workers, started apart, count a part of the text each"
	# Up and waiting before they begin, for they do not take long.
	timeout 120 wordcount wait "$zone" "$table" $((text_bytes / 4)) \
		>"$tmp/progress" &
	waiter=$!
	started=$(now)
	for part in $(seq $workers); do
		wordcount count "$zone" "$table" "$tmp/text" "$part" $workers \
			>"$tmp/worker.$part" &
		counters+=($!)
	done
}

kill_churn() {
	wait $waiter || die "the workers do not get on"
	waiter=
	kill -9 $churn 2>/dev/null || die "the churning process ended by itself"
	statistics >"$tmp/middle"
	churn=
	say "In the middle, the churning process is killed with SIGKILL"
	note "$(<"$tmp/progress") bytes had been counted; the workers notice nothing."
	cat "$tmp/middle"
}

finish_workers() {
	local pid
	for pid in "${counters[@]}"; do
		wait "$pid" || die "worker $pid failed"
	done
	counters=()
	say "All words are counted, after $(($(now) - started)) ms"
	sed 's/^/    /' "$tmp"/worker.*
	statistics --classes
}

compare() {
	local begun
	say "What do tr, sort and uniq -c say of the same text?"
	begun=$(now)
	tr -cs '[:alpha:]' '\n' <"$tmp/text" | tr '[:upper:]' '[:lower:]' |
		sed '/^$/d' | sort | uniq -c | sed 's/^ *//' >"$tmp/expected"
	note "they took $(($(now) - begun)) ms"
	wordcount dump "$zone" "$table" | sort -k 2 >"$tmp/counted"
	cmp "$tmp/expected" "$tmp/counted" >&2 || die "the results differ"
	awk '{ n += $1 } END { print "    the same, word for word: " NR \
		" distinct words, " n " in all" }' "$tmp/counted"
	note "the ten most frequent:"
	sort -k 1,1nr -k 2 "$tmp/counted" |
		awk 'NR <= 10 { printf "%s%s %d", NR == 1 ? "    " : ", ", $2, $1 }
		     END { print "" }'
}

draw() {
	say "The zone's pages by size class"
	shmzone map --color="$color" "$zone"
}

free_all() {
	local live
	say "Everything in the table is freed"
	wordcount free "$zone" "$table" | sed 's/^/    /'
	statistics
	live=$(figure live_objects)
	[ "$live" -le $((churn_objects + 1)) ] || die "$live objects are left"
	[ "$(figure failures)" -eq 0 ] || die "an allocation failed"
	[ "$(figure bad_not_live)" -eq 0 ] || die "a free was refused"
	note "The $live objects left are what the killed process held. The zone is as" \
		"good as before, but cannot know that nobody else has their offsets."
}

end_zone() {
	kill $keeper
	wait $keeper 2>/dev/null || true
	keeper=
	say "The keeper ends, and with its last user the zone and all that was in it"
	shmzone stat "$zone" 2>&1 | sed 's/^/    /' || true
	! shmzone stat "$zone" >/dev/null 2>&1 || die "the zone is still there"
}

how_to_go_on() {
	cat <<'END'

The demonstration succeeded. How to go on:
    make test                          run all tests, on several kernels
    make shell                         a guest with the module loaded, to try things
    userlib/examples/hello.c           a program of ten lines
    userlib/examples/wordcount.c       the program of this demonstration
    userlib/include/shmzone.h          the library's functions
    uapi/linux/shmzone.h               the kernel's interface
END
}

prepare_text "$1"
start_keeper
start_churn
start_workers
kill_churn
finish_workers
compare
draw
free_all
end_zone
how_to_go_on
