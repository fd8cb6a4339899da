# "make help" lists the targets. Those that begin with build- are not for
# people: they are what sam build runs, one for each function.

SHELL := bash
GO ?= go
PYTHON ?= python3

# A go.work in a folder above names other modules, and Go would refuse to build
# this one. sam build copies the tree to a folder without a go.work.
export GOWORK := off

.DEFAULT_GOAL := help
.PHONY: help demo test check simulation build invoke local bench fuzz soak year crash mutants gosec vulncheck actionlint clean
.PHONY: test-all format unit test-environment setup build-TriggerFunction build-S3ArrivalFunction build-SweepFunction

# PROGRESS runs a command, prints a line whenever the command is silent for 15
# seconds, and fails if a test was skipped.
PROGRESS = env -u GOOS -u GOARCH $(GO) run ./test/progress

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: ## run the real handlers against a simulated Amperity, in one process; needs Go alone
	@$(GO) run ./cmd/amperity-runs demo

# --- Tests -------------------------------------------------------------------

# "make test" keeps all output, that of the tests that pass, too: no secret of
# the fixtures may be in it. They all carry this mark, which ends in an x more.
MARKER := xSECRET
TEST_LOG := build/test.log

# Everything but the built functions is tested under the race detector, which
# takes a C compiler; without one Go says so here.
DETECTOR = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

test: ## run everything, end to end too; sets up what it needs (Linux, Python 3.11)
	@mkdir -p build && : > $(TEST_LOG)
	@set -o pipefail; status=0; \
	$(MAKE) --no-print-directory test-all KEEP=1 RACE=$(DETECTOR) 2>&1 | tee -a $(TEST_LOG) || status=$$?; \
	lines=$$(grep -n '$(MARKER)x' $(TEST_LOG) | cut -d : -f 1 | tr '\n' ' '); \
	if [ -n "$$lines" ]; then \
	  echo "a secret of the fixtures stands in $(TEST_LOG), in the lines $$lines" >&2; status=1; fi; \
	exit $$status

test-all: check
	@$(PROGRESS) $(MAKE) --no-print-directory setup
	@AMPERITY_RUNS_E2E="$(VENV)" $(call go_test,-count=1 -timeout 12m ./test/e2e)

setup: build test-environment

# go_test runs "go test $(1)" and shows a summary. "make test" keeps all output.
go_test = $(PROGRESS) -short $(if $(KEEP),-log $(TEST_LOG)) $(GO) test -v $(1)

check: format ## check format, vet, staticcheck and unit tests; needs Go alone
	@$(PROGRESS) $(GO) vet ./...
	@$(PROGRESS) $(GO) tool staticcheck ./...
	@$(MAKE) --no-print-directory unit

format:
	@files=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); if [ -n "$$files" ]; then \
	  echo "not formatted, run gofmt -w on:" $$files >&2; exit 1; fi

# These programs are no tools of go.mod, because they would bring more modules than
# the project has. Go fetches the program when a target first needs it.
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

# What counts reads and writes by the hundred thousand, and the simulation, which
# does one thing at a time, run without the race detector. The named histories of
# the simulation run under it too.
ifeq ($(RACE),)
unit:
	@$(call go_test,$$($(GO) list ./... | grep -v '/test/e2e$$'))
else
unit:
	@$(call go_test,$(RACE) $$($(GO) list ./... | grep -vE '/test/(e2e|scale|sim)$$'))
	@$(call go_test,$(RACE) ./test/sim -run '^TestH[0-9]')
	@$(call go_test,./test/scale ./test/sim)
endif

# "unit" has run the small part of the simulation. Here is the bulk: every pair
# of faults in every small scenario, every order of two launches with every
# fault, and HISTORIES histories by chance of each mode and of the windows.
HISTORIES ?= 20000
PAIRS ?= -pairs
SIMULATION = $(PROGRESS) -short $(GO) test -v -count=1 -timeout 15m ./test/sim

simulation: ## run the bulk of the simulation: all pairs of faults, all orders, HISTORIES histories (20000) of each mode and of windows
	@$(SIMULATION) -run '^(TestExhaustive|TestTiming)$$' $(PAIRS)
	@$(SIMULATION) -run '^TestRandom$$' -runs $(HISTORIES) -from 100000
	@$(SIMULATION) -run '^TestRandom$$' -runs $(HISTORIES) -from 100000 -dense
	@$(PROGRESS) -short $(GO) test -v -count=1 ./internal/window -run '^TestWindowsDoAsTheModelSays$$' -runs $(HISTORIES)

SOAK ?= 10m

soak: ## run random histories of the simulation for SOAK (10m), each time others; DENSE=1: dense ones
	@$(PROGRESS) $(GO) test -count=1 -timeout 0 -v ./test/sim -run '^TestRandom$$' -for $(SOAK) -from $$(date +%s)00000 $(if $(DENSE),-dense)

YEARS ?= 3

year: ## simulate YEARS (3) years of 20 launches a day, and count how often an operator is asked
	@$(PROGRESS) $(GO) test -count=1 -timeout 0 -v ./test/sim -run '^TestYear$$' -days 365 -years $(YEARS)

CRASHES ?= 200

crash: build test-environment ## kill the built functions CRASHES times and more (200), overlap sweeps, mix versions
	@AMPERITY_RUNS_E2E="$(VENV)" $(PROGRESS) $(GO) test -count=1 -timeout 60m -v ./test/e2e -run '^Test(KilledAtRandomMoments|OverlappingSweepsKeepLaunchesApart|MixedVersions)$$' -crashes $(CRASHES)

MUTANTS ?=

mutants: ## change the code in one place at a time, and list the changes that no test notices; takes hours
	$(GO) run ./test/mutate $(MUTANTS)

FUZZTIME ?= 10s

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@set -e; for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$target in $$package"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; done

bench: build ## measure the built functions, beside Python too
	@$(call environment,$(BENCH_VENV),-r bench/requirements.txt)
	@env -u AWS_CA_BUNDLE $(GO) run ./bench -python "$(BENCH_VENV)/bin/python"

# --- Python for the tests ----------------------------------------------------

# The virtual environments live outside of the tree, because sam build copies
# the tree; their names change with what is in them. These variables are
# expanded where they are used, which is never below sam build.
CACHE = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/amperity-runs
checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
VENV ?= $(CACHE)/venv-$(call checksum,test/requirements.txt test/constraints.txt)
BENCH_VENV ?= $(CACHE)/bench-$(call checksum,bench/requirements.txt)

# environment makes the virtual environment $(1) with what pip's arguments
# $(2) name, unless it is complete.
define environment
if ! test -e "$(1)/complete"; then \
  if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
    echo "the tests need Python 3.11 or newer: say where it is, for example PYTHON=python3.12" >&2; exit 1; fi; \
  echo "making $(1)"; \
  $(PYTHON) -m venv "$(1)" && "$(1)/bin/python" -m pip install --quiet --disable-pip-version-check $(2) && \
  touch "$(1)/complete"; fi
endef

test-environment:
	@$(call environment,$(VENV),-r test/requirements.txt -c test/constraints.txt)

# --- Functions ---------------------------------------------------------------

# The same source gives the same bytes, wherever it is built, so that what did
# not change is not deployed again. lambda.norpc leaves out what provided.al2023
# does not use, nethttpomithttp2 the HTTP/2 of net/http, which nothing that is
# asked needs. The processor levels are the lowest, whatever the shell says.
GO_SETTINGS = GOFLAGS= GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0
GO_BUILD = CGO_ENABLED=0 $(GO_SETTINGS) $(GO) build -trimpath -buildvcs=false -tags lambda.norpc,nethttpomithttp2 -ldflags "-s -w -buildid="

# A routes file with an error fails the build, not the first file that arrives.
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
# parameter Architecture names, and runs one of these from there. goarch.mk
# of that folder says what to build, so that the binary cannot differ from the
# template.
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

clean: ## remove what was built here; the virtual environments in the cache stay
	rm -rf build .aws-sam
