#!/bin/sh
# Prints the packages whose tests do more without -short than with it: those that say testing.Short() in their tests, or
# whose tests import something of this module that says it. All others have run in `make check`, with the race detector.
set -eu
folders() { grep -rl "$@" 'testing\.Short()' codec proxy internal cmd | xargs -n 1 dirname | sort -u | sed "s|^|$module/|"; }
module=$(go list -m)
tests=$(folders --include='*_test.go')
helpers=$(folders --include='*.go' --exclude='*_test.go')
{
	printf '%s\n' "$tests"
	# A line for each package that a test binary is made of.
	go list -test -f '{{if eq .Name "main"}}{{$of := .ImportPath}}{{range .Deps}}{{$of}} {{.}}{{"\n"}}{{end}}{{end}}' ./... |
		awk -v helpers="$helpers" 'BEGIN { n = split(helpers, h, "\n"); for (i = 1; i <= n; i++) is[h[i]] = 1 }
			$1 ~ /\.test$/ && $2 in is { sub(/\.test$/, "", $1); print $1 }'
} | sort -u
