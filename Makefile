# Vitrine: `make demo` to try it, `make test` to prove it, `make help` for the rest.

CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vitrine
# The installer puts a current Node there when the machine's own is missing or too old.
export PATH := $(CACHE)/node/bin:$(PATH)
# For all of Go, so that vet, the tests and the program share what is compiled.
export GOFLAGS := -trimpath $(GOFLAGS)

GOLANGCI := $(CACHE)/bin/golangci-lint-v2.15.0/golangci-lint
DEPS     := deploy/install-deps.sh
FUZZTIME ?= 8s
COUNT    ?= 3
BENCH    ?= .
# Linking a test binary for the race detector takes a third less time with this linker, and there are ninety of them.
GOLD     := $(if $(shell command -v ld.gold),-ldflags=-extldflags=-fuse-ld=gold)
PEER     ?= testdata/peers/guacd.json
WEB_SRC  := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' -not -path 'web/e2e/*' 2>/dev/null)
GO_SRC   := $(shell find cmd internal proxy codec -type f -not -name '*_test.go' 2>/dev/null)

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## build everything and run Vitrine with a demo desktop on loopback
	bin/vitrine demo

.PHONY: test
test: deps-test check build ## every test: check, real servers, MinIO, Chromium
	$(MAKE) --no-print-directory -j 2 -O desktops servers-e2e # both wait half of their time; three at a time make two cores too slow for servers

.PHONY: long
long: ## the Go tests that need real servers or time, without the race detector
	$(MAKE) --no-print-directory -j 2 -O desktops servers

.PHONY: desktops servers servers-e2e
desktops: deps-test build # whole sessions, which take as long as all others together
	go test -vet=off -timeout 30m ./internal/e2e
servers: deps-test build
	go test -vet=off -p 1 -timeout 30m $$(deploy/long-tests.sh | grep -v /internal/e2e$$)
servers-e2e: servers
	AT_ONCE=1 $(MAKE) --no-print-directory e2e

.PHONY: check
check: deps-build deps-lint web/node_modules/.package-lock.json ## lint, vet, format, generated code, unit tests with the race detector
	$(MAKE) --no-print-directory lint
	cd web && npm run --silent typecheck && npm run --silent test
	# More at a time than two cores have: many tests wait more than they compute. SQLite is C made into Go, and checking each of its
	# pointers takes a third of the time of what keeps something in a store. Lint has vetted it all; test would vet it again, built for race.
	go test -vet=off -race $(GOLD) -gcflags=modernc.org/...=-d=checkptr=0 -short -p 4 -timeout 10m ./...

.PHONY: lint
lint: deps-build deps-lint web/node_modules/.package-lock.json ## what the linters, vet and the formatters say
	go vet ./...
	$(GOLANGCI) run
	cd web && npm run --silent lint
	deploy/check-generated.sh

.PHONY: build
build: bin/vitrine ## bin/vitrine with the console inside

bin/vitrine: web/dist/index.html $(GO_SRC) go.mod go.sum | deps-build
	go build -o $@ ./cmd/vitrine

web/dist/index.html: $(WEB_SRC) web/node_modules/.package-lock.json
	cd web && npm run --silent build
	touch $@

web/node_modules/.package-lock.json: web/package.json web/package-lock.json | deps-web
	cd web && npm ci --no-fund --no-audit --loglevel=error
	touch $@

.PHONY: e2e
e2e: build deps-test ## the console in Chromium against the real binary
	cd web && VITRINE_BIN=$(CURDIR)/bin/vitrine npm run --silent e2e

.PHONY: fuzz
fuzz: deps-build ## every fuzz target for FUZZTIME (8s), as many at a time as there are cores; their seeds run in check
	deploy/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: deps-build ## Go benchmarks
	go test -short -run '^$$' -bench . -benchmem ./codec/... ./proxy/... ./internal/...

# The lines of go test come to standard error, the table to standard output and into OUT. BENCH chooses some of the benchmarks; what
# takes long is run once, and only when all are. PEER is another gateway's figures.
BENCH_E2E := VITRINE_BIN=$(CURDIR)/bin/vitrine go test ./internal/e2e -run '^$$' -benchtime 1x -timeout 2h

.PHONY: bench-e2e
bench-e2e: build deps-test ## real desktops and Chromium COUNT (3) times, in one table, also in OUT=file
	@{ $(BENCH_E2E) -count $(COUNT) -bench '$(BENCH)' -skip '/typing-long'; \
	$(if $(filter .,$(BENCH)),$(BENCH_E2E) -bench 'Desktop/typing-long'; go test ./proxy/rdpclient -run '^$$' -bench XRDP -benchtime 1x;) } | \
	go run ./internal/benchtable -goals testdata/peers/goals.json -peer '$(PEER)' -out '$(OUT)'

.PHONY: generate
generate: ## regenerate what is generated
	PATH="$(CACHE)/bin:$$PATH" go generate ./...
	cd web && npm run --silent generate

# deps-vault, which nothing depends on, takes ten minutes; with it, tests ask a real HashiCorp Vault too.
.PHONY: deps-build deps-web deps-lint deps-test deps-vault
deps-build deps-web deps-lint deps-test deps-vault: deps-%:
	@$(DEPS) $*

.PHONY: clean
clean: ## remove what was built
	rm -rf bin web/dist/* web/node_modules
