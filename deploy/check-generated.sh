#!/bin/sh
# Fails when the OpenAPI types of either side are not what their generators make of internal/api/openapi.yaml.
set -eu
before=$(git status --porcelain -- internal/api web/src/api; git diff -- internal/api web/src/api | cksum)
go generate ./internal/api/...
(cd web && npm run --silent generate)
after=$(git status --porcelain -- internal/api web/src/api; git diff -- internal/api web/src/api | cksum)
if [ "$before" != "$after" ]; then
	echo "check-generated: generated code was out of date; it has been regenerated: look at git diff and commit it" >&2
	exit 1
fi
