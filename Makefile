# "make help" lists the targets. Only sam build runs the targets that begin with
# build-, one for each function.

SHELL := bash
GO ?= go
PYTHON ?= python3

# With a go.work of other modules in a folder above, Go would refuse to build this
# module. sam build copies the tree to a folder without a go.work.
export GOWORK := off

.DEFAULT_GOAL := help
.PHONY: help demo test check golden simulation build invoke local bench fuzz soak year crash mutants gosec vulncheck actionlint clean
.PHONY: test-all format unit test-environment setup build-TriggerFunction build-S3ArrivalFunction build-SweepFunction

# PROGRESS runs a command, prints a line whenever the command is silent for 15
# seconds, and fails if a test was skipped.
PROGRESS = env -u GOOS -u GOARCH $(GO) run ./test/progress

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: ## run the real handlers against a simulated Amperity, in one process; needs only Go
	@$(GO) run ./cmd/amperity-runs demo

# --- Tests -------------------------------------------------------------------

# "make test" keeps all output, also of passing tests, and checks that it has no
# secret of the fixtures. Every secret has this mark, with one more x at its end.
MARKER := xSECRET
TEST_LOG := build/test.log

# All tests but those of the built functions run under the race detector, which
# needs a C compiler. This variable is empty without one.
DETECTOR = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

test: ## run all tests, also end to end; sets up what they need (Linux, Python 3.11)
	@mkdir -p build && : > $(TEST_LOG)
	@set -o pipefail; status=0; \
	$(MAKE) --no-print-directory test-all KEEP=1 RACE=$(DETECTOR) 2>&1 | tee -a $(TEST_LOG) || status=$$?; \
	lines=$$(grep -n '$(MARKER)x' $(TEST_LOG) | cut -d : -f 1 | tr '\n' ' '); \
	if [ -n "$$lines" ]; then \
	  echo "$(TEST_LOG) has a secret of the fixtures in the lines $$lines" >&2; status=1; fi; \
	exit $$status

test-all: check
	@$(PROGRESS) $(MAKE) --no-print-directory setup
	@AMPERITY_RUNS_E2E="$(VENV)" $(call go_test,-count=1 -timeout 12m ./test/e2e)

setup: build test-environment

# go_test runs "go test $(1)" and prints a summary. "make test" keeps all output.
go_test = $(PROGRESS) -short $(if $(KEEP),-log $(TEST_LOG)) $(GO) test -v $(1)

check: format ## check format, vet, staticcheck and unit tests; needs only Go
	@$(PROGRESS) $(GO) vet ./...
	@$(PROGRESS) $(GO) tool staticcheck ./...
	@$(MAKE) --no-print-directory unit

format:
	@files=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); if [ -n "$$files" ]; then \
	  echo "not formatted, run gofmt -w on:" $$files >&2; exit 1; fi

# Only the tests of packages that have golden files know the flag -update.
golden: ## rewrite the golden files, which hold the texts that users read
	@$(GO) test $$(grep -rl --include='*_test.go' '/amperity-runs/internal/golden"' . | xargs -n 1 dirname | sort -u) -update

# These programs are not tools of go.mod, because they would add more modules than
# the project has. Go fetches a program when a target first needs it.
GOSEC = github.com/securego/gosec/v2/cmd/gosec@v2.30.0
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
SCANNED = ./cmd/... ./functions/... ./internal/... ./pkg/...

gosec: ## look for insecure code; fetches gosec
	@$(PROGRESS) $(GO) run $(GOSEC) -quiet $(SCANNED)

vulncheck: ## look for known vulnerabilities in the modules; fetches govulncheck and its database
	@$(PROGRESS) $(GO) run $(GOVULNCHECK) ./...

actionlint: ## check the workflows of .github/; fetches actionlint
	@$(PROGRESS) $(GO) run $(ACTIONLINT)

# test/scale makes hundreds of thousands of reads and writes, and the simulation
# does one thing at a time, so both run without the race detector. The named
# histories of the simulation also run under it.
ifeq ($(RACE),)
unit:
	@$(call go_test,$$($(GO) list ./... | grep -v '/test/e2e$$'))
else
unit:
	@$(call go_test,$(RACE) $$($(GO) list ./... | grep -vE '/test/(e2e|scale|sim)$$'))
	@$(call go_test,$(RACE) ./test/sim -run '^TestH[0-9]')
	@$(call go_test,./test/scale ./test/sim)
endif

# "unit" runs a small part of the simulation. This target runs the rest: every
# pair of faults in every small scenario, every order of two launches with every
# fault, and HISTORIES random histories of each mode and of the windows.
HISTORIES ?= 20000
PAIRS ?= -pairs
SIMULATION = $(PROGRESS) -short $(GO) test -v -count=1 -timeout 15m ./test/sim

simulation: ## run the whole simulation: all pairs of faults, all orders, HISTORIES histories (20000) of each mode and of windows
	@$(SIMULATION) -run '^(TestExhaustive|TestTiming)$$' $(PAIRS)
	@$(SIMULATION) -run '^TestRandom$$' -runs $(HISTORIES) -from 100000
	@$(SIMULATION) -run '^TestRandom$$' -runs $(HISTORIES) -from 100000 -dense
	@$(PROGRESS) -short $(GO) test -v -count=1 ./internal/window -run '^TestWindowsDoAsTheModelSays$$' -runs $(HISTORIES)

SOAK ?= 10m

soak: ## run random histories of the simulation for SOAK (10m), different ones each time; DENSE=1: dense ones
	@$(PROGRESS) $(GO) test -count=1 -timeout 0 -v ./test/sim -run '^TestRandom$$' -for $(SOAK) -from $$(date +%s)00000 $(if $(DENSE),-dense)

YEARS ?= 3

year: ## simulate YEARS (3) years of 20 launches a day, and count how often an operator is asked
	@$(PROGRESS) $(GO) test -count=1 -timeout 0 -v ./test/sim -run '^TestYear$$' -days 365 -years $(YEARS)

CRASHES ?= 200

crash: build test-environment ## kill the built functions at least CRASHES (200) times, overlap sweeps, mix versions
	@AMPERITY_RUNS_E2E="$(VENV)" $(PROGRESS) $(GO) test -count=1 -timeout 60m -v ./test/e2e -run '^Test(KilledAtRandomMoments|OverlappingSweepsKeepLaunchesApart|MixedVersions)$$' -crashes $(CRASHES)

MUTANTS ?=

mutants: ## change the code in one place at a time, and list the changes that no test detects; takes hours
	$(GO) run ./test/mutate $(MUTANTS)

FUZZTIME ?= 10s

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@set -e; for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$target in $$package"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; done

BENCH ?=

bench: build ## measure the built functions as in an account (root), next to Python; BENCH passes options on
	@$(call environment,$(BENCH_VENV),-r bench/requirements.txt)
	@env -u GOOS -u GOARCH $(GO_BUILD) -o build/bench/ ./bench/hello ./bench/floor
	@$(GO) run ./bench -python "$(BENCH_VENV)/bin/python" $(BENCH)

# --- Python for the tests ----------------------------------------------------

# The virtual environments are outside of the tree, because sam build copies the
# tree. Their names change with their content. Make expands these variables only
# where a target uses them, and sam build runs no such target.
CACHE = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/amperity-runs
checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
VENV ?= $(CACHE)/venv-$(call checksum,test/requirements.txt test/constraints.txt)
BENCH_VENV ?= $(CACHE)/bench-$(call checksum,bench/requirements.txt)

# environment creates the virtual environment $(1) with the packages of pip's
# arguments $(2), unless the environment is complete.
define environment
if ! test -e "$(1)/complete"; then \
  if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
    echo "the tests need Python 3.11 or newer: set PYTHON to one, for example PYTHON=python3.12" >&2; exit 1; fi; \
  echo "creating $(1)"; \
  $(PYTHON) -m venv "$(1)" && "$(1)/bin/python" -m pip install --quiet --disable-pip-version-check $(2) && \
  touch "$(1)/complete"; fi
endef

test-environment:
	@$(call environment,$(VENV),-r test/requirements.txt -c test/constraints.txt)

# --- Functions ---------------------------------------------------------------

# The same source produces the same bytes on every machine, so that an unchanged
# function is not deployed again. lambda.norpc leaves out code that provided.al2023
# does not use. nethttpomithttp2 leaves out the HTTP/2 of net/http, which no
# server that we call needs. The processor levels are the lowest, whatever the shell sets.
GO_SETTINGS = GOFLAGS= GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0
GO_BUILD = CGO_ENABLED=0 $(GO_SETTINGS) $(GO) build -trimpath -buildvcs=false -tags lambda.norpc,nethttpomithttp2 -ldflags "-s -w -buildid="

# An error in a routes file fails the build, and not the first file that arrives.
CHECK_ROUTES = env -u GOOS -u GOARCH $(GO_SETTINGS) $(GO) run ./cmd/amperity-runs check routes*.yaml

build: ## build the functions for this machine, into build/
	@mkdir -p build/trigger build/s3arrival build/sweep
	@env -u GOOS -u GOARCH $(GO_BUILD) -o build/trigger/bootstrap ./functions/trigger
	@env -u GOOS -u GOARCH $(GO_BUILD) -o build/s3arrival/bootstrap ./functions/s3arrival
	@env -u GOOS -u GOARCH $(GO_BUILD) -o build/sweep/bootstrap ./functions/sweep
	@$(CHECK_ROUTES)
	@rm -f build/s3arrival/routes*.yaml build/sweep/routes*.yaml
	@cp routes*.yaml build/s3arrival/
	@cp routes*.yaml build/sweep/

# sam build copies the tree, enters the folder of arch/ that the template's
# parameter Architecture names, and runs one of these targets there. goarch.mk of
# that folder sets the architecture, so that the binary matches the template.
-include goarch.mk

build-TriggerFunction:
	$(call sam_build,trigger)

build-S3ArrivalFunction:
	$(call sam_build,s3arrival)
	$(sam_routes)

build-SweepFunction:
	$(call sam_build,sweep)
	$(sam_routes)

sam_build = $(if $(and $(LAMBDA_GOARCH),$(ARTIFACTS_DIR)),,$(error $@ is for sam build, which says where to \
  build and for which architecture: run "sam build", or "make build" for this machine))cd ../.. && \
  GOOS=linux GOARCH=$(LAMBDA_GOARCH) $(GO_BUILD) -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(1)
sam_routes = cd ../.. && $(CHECK_ROUTES) && cp routes*.yaml "$(ARTIFACTS_DIR)/"

# --- Trying things out -------------------------------------------------------

invoke: build test-environment ## run a built function with EVENT=events/x.json, under Lambda's emulator (Linux)
	@AMPERITY_RUNS_E2E="$(VENV)" $(GO) run ./test/local invoke $(EVENT)

local: test-environment ## start simulator and moto, and print the "sam local invoke" that uses them
	@AMPERITY_RUNS_E2E="$(VENV)" $(GO) run ./test/local serve

clean: ## remove the build output; the virtual environments in the cache stay
	rm -rf build .aws-sam
