#!/bin/sh
# Runs every fuzz target of the module for a while, as many at a time as there are cores, each with one
# worker. A crash is written into the package's testdata/fuzz and fails the run.
#
# usage: deploy/fuzz.sh DURATION
set -eu
export FUZZTIME="${1:?usage: $0 DURATION}"

# One line a target: its package and its name.
targets=$(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' codec proxy internal cmd |
	sed 's|^\(.*\)/[^/]*:func \(.*\)$|./\1 \2|' | sort -u)
[ -n "$targets" ] || {
	echo "fuzz: no target found" >&2
	exit 1
}
printf 'fuzz: %s targets for %s each\n' "$(printf '%s\n' "$targets" | wc -l)" "$FUZZTIME"

# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "$targets" | xargs -P "$(nproc)" -L 1 sh -c '
	out=$(go test "$0" -run "^$1\$" -fuzz "^$1\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 1s -parallel 1 2>&1) && {
		printf "ok    %s %s\n" "$0" "$1"
		exit 0
	}
	printf "FAIL  %s %s\n%s\n" "$0" "$1" "$out"
	exit 255'
