# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # what common.sh and the caller set
#
# Building a kernel from selftests/vm/NAME.config. Sourced after common.sh.
#
# The build directory is named after everything that decides its content, so a
# changed configuration is a new build and clones that agree share one. An
# interrupted build is taken up where it stopped; the file "ready" marks a
# complete one. Debian's revision of the sources is not part of it: the cache
# holds one, ever.

kbuild_source=$cache/source-6.12

kbuild_dir() {
	local name=$1 hash
	hash=$({
		grep '^CONFIG_\|is not set$' "$top/selftests/vm/$name.config"
		sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$kbuild_source/Makefile"
		gcc -dumpfullversion
	} | sha256sum)
	echo "$cache/$name-${hash:0:12}"
}

# kbuild_make NAME DIRECTORY ARGUMENT...
kbuild_make() {
	local arch=x86_64 more=()
	[ "$1" != uml ] || arch=um
	# Modules built against it are instrumented, the kernel itself is not.
	[ "$1" != kcsan ] || more=(KCSAN_SANITIZE=n)
	# The time and the place of a build must not decide what it gives.
	nice make -C "$kbuild_source" O="$2" ARCH=$arch \
		KBUILD_BUILD_TIMESTAMP=1 KBUILD_BUILD_USER=shmzone KBUILD_BUILD_HOST=shmzone \
		"${more[@]}" "${@:3}"
}

# kbuild_lost CONFIG FRAGMENT: the lines of the fragment that the configuration
# does not honour. "is not set" holds also for a symbol that cannot be set.
kbuild_lost() {
	local line symbol
	while read -r line; do
		case $line in
		'# CONFIG_'*' is not set')
			symbol=${line#\# }
			! grep -q "^${symbol%% *}=" "$1" || echo "$line" ;;
		CONFIG_*)
			grep -qxF -e "$line" "$1" || echo "$line" ;;
		esac
	done <"$2"
}

kbuild_configure() {
	local name=$1 dir=$2 fragment=$top/selftests/vm/$1.config lost
	kbuild_make "$name" "$dir" KCONFIG_ALLCONFIG="$fragment" allnoconfig >"$dir/config.log" 2>&1 ||
		{ cat "$dir/config.log" >&2; die "$name kernel: cannot be configured"; }
	lost=$(kbuild_lost "$dir/.config" "$fragment")
	if [ -n "$lost" ]; then
		rm "$dir/.config"
		die "$name kernel: Kconfig did not keep these lines of $name.config:"$'\n'"$lost"
	fi
}

# kbuild_progress NAME LOG PID: says how far the build is until it ends. The
# sleep is not to keep our output open when we are done.
kbuild_progress() {
	local name=$1 log=$2 pid=$3 about line interval=30
	# Only an estimate for the reader; a new configuration shifts it.
	about=$(sed -n 's/^# About \([0-9]*\) objects.*/\1/p' "$top/selftests/vm/$name.config")
	[ ! -t 2 ] || interval=5
	while sleep $interval >/dev/null 2>&1; kill -0 "$pid" 2>/dev/null; do
		line=$(grep -c '^  \(CC\|AS\) ' "$log" || true)
		printf -v line '%s kernel: %d of about %d objects, %dm%02ds' \
			"$name" "$line" "$about" $((SECONDS / 60)) $((SECONDS % 60))
		if [ -t 2 ]; then
			printf '\r%s' "$line" >&2
		else
			say "$line"
		fi
	done
	[ ! -t 2 ] || echo >&2
}

kbuild() {
	local name=$1 dir targets=(bzImage modules) pid progress status=0
	dir=$(kbuild_dir "$name")
	mkdir -p "$dir"
	[ -e "$dir/.config" ] || kbuild_configure "$name" "$dir"
	say "building the $name kernel once, into $dir"
	[ "$name" != uml ] || targets=(linux modules)
	SECONDS=0
	kbuild_make "$name" "$dir" -j"$(nproc)" "${targets[@]}" >"$dir/build.log" 2>&1 &
	pid=$!
	# Without the lock, which this one's last sleep would keep for a while.
	kbuild_progress "$name" "$dir/build.log" $pid {lock}>&- &
	progress=$!
	trap 'kill $pid $progress 2>/dev/null || true' EXIT
	wait $pid || status=$?
	trap - EXIT
	kill $progress 2>/dev/null || true
	if [ $status -ne 0 ]; then
		grep -E -B2 -A8 'error:|Error [0-9]' "$dir/build.log" | head -n 60 >&2
		die "$name kernel: the build failed, see $dir/build.log"
	fi
	ln -sfn "${dir##*/}" "$cache/$name"
	touch "$dir/ready"
	say "$name kernel: built in $((SECONDS / 60))m$((SECONDS % 60))s"
}
