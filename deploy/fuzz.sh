#!/bin/sh
# Runs every fuzz target of the module for a while, as many at a time as there are cores, each with one worker. A
# crash is written into the package's testdata/fuzz and fails the run. Each package is built once for all of its targets.
#
# usage: deploy/fuzz.sh DURATION [PACKAGE-FOLDER ...]
set -eu
export FUZZTIME="${1:?usage: $0 DURATION [PACKAGE-FOLDER ...]}"
shift
[ $# -gt 0 ] || set -- codec proxy internal cmd
BUILT=$(mktemp -d)
export BUILT
FUZZCACHE=$(go env GOCACHE)/fuzz
export FUZZCACHE
trap 'rm -rf "$BUILT"' EXIT
trap 'exit 1' HUP INT TERM

# One line a target: its package and its name.
targets=$(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' "$@" |
	sed 's|^\(.*\)/[^/]*:func \(.*\)$|\1 \2|' | sort -u)
[ -n "$targets" ] || {
	echo "fuzz: no target found" >&2
	exit 1
}
printf 'fuzz: %s targets for %s each\n' "$(printf '%s\n' "$targets" | wc -l)" "$FUZZTIME"
# Linking takes one core: so as many at a time as there are.
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "$targets" | cut -d ' ' -f 1 | sort -u | xargs -P "$(nproc)" -n 1 sh -c '
	go test -c -fuzz=. -o "$BUILT/$(printf %s "$0" | tr / -).test" "./$0" || exit 255'

# Go's engine sometimes reports its own deadline as the failure of a target: without a failing input there is none.
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "$targets" | xargs -P "$(nproc)" -L 1 sh -c '
	module=$(go list -m)
	cd "$0"
	out=$("$BUILT/$(printf %s "$0" | tr / -).test" -test.run "^$1\$" -test.fuzz "^$1\$" -test.fuzztime "$FUZZTIME" \
		-test.fuzzminimizetime 1s -test.parallel 1 -test.fuzzcachedir "$FUZZCACHE/$module/$0" 2>&1) || {
		case $out in
		*"Failing input written"* | *panic* | *FATAL*) failed=1 ;;
		*"context deadline exceeded"*) failed= ;;
		*) failed=1 ;;
		esac
		if [ -n "$failed" ]; then
			printf "FAIL  %s %s\n%s\n" "$0" "$1" "$out"
			exit 255
		fi
	}
	printf "ok    %s %s %s\n" "$0" "$1" "$(printf "%s\n" "$out" | sed -n "s/.*execs: \([0-9]*\).*/\1 runs/p" | tail -n 1)"'
