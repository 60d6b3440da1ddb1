# What people type. The build itself is CMake's (CMakePresets.json); everything here may be called from a bare
# Debian 12 with git, make and apt.
BUILD := build
JOBS := $(shell nproc)
# Tests with random worlds also take some seeds that come from the commit.
export HOMEPORT_COMMIT_SEED := $(shell printf '%d' "0x$$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1)")
SOURCES = $(shell git ls-files -co --exclude-standard '*.h' '*.cc')

.DEFAULT_GOAL := help
.PHONY: help deps configure build demo test sim fuzz bench check format format-check lint clean

help:  ## This list
	@awk -F ':.*##' '/^[a-z-]+:.*##/ {printf "  make %-14s%s\n", $$1, $$2}' Makefile

deps:  ## Install what is needed to build, from Debian
	@scripts/install-deps.sh

configure: deps
	@cmake --preset release --log-level=WARNING

build: configure  ## build/bin/homeport, homeportd, and homeport-wan for tests
	@cmake --build $(BUILD) --parallel $(JOBS) --target homeport homeportd homeport-wan

demo: build  ## Three regions on this machine, a story through them, and a check
	@$(BUILD)/bin/homeport demo

test: configure fuzzer  ## All tests; those that need Chromium or etcd skip without it
	@scripts/install-deps.sh chromium chromium-driver || echo "make: no Chromium: the browser test will skip" >&2
	@scripts/install-deps.sh etcd-server || echo "make: no etcd: its tests will skip" >&2
	@cmake --build $(BUILD) --parallel $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure --parallel 2

SEEDS := 1000
sim: configure  ## Simulated worlds of the quorum queue: SEEDS=1000
	@cmake --build $(BUILD) --parallel $(JOBS) --target homeport-sim
	@$(BUILD)/bin/homeport-sim --seeds $(SEEDS)

.PHONY: fuzzer
fuzzer: deps
	@scripts/install-deps.sh clang libclang-rt-14-dev
	@cmake --preset fuzz --log-level=WARNING
	@cmake --build build-fuzz --parallel $(JOBS) --target homeport-fuzz

FUZZ_SECONDS := 60
fuzz: fuzzer  ## libFuzzer, with clang: FUZZ_SECONDS=60 for each target
	@tests/fuzz/run.sh $(FUZZ_SECONDS)

bench: build  ## Speed of the queue and of messages, on this machine
	@scripts/install-deps.sh fio
	@$(BUILD)/bin/homeport bench queue --size 1024 --inflight 1024 --seconds 5 --limits
	@$(BUILD)/bin/homeport bench queue --size 100 --inflight 1024 --seconds 5
	@$(BUILD)/bin/homeport bench queue --size 16384 --inflight 256 --seconds 5
	@$(BUILD)/bin/homeport bench queue --size 1024 --inflight 1 --seconds 5
	@$(BUILD)/bin/homeport bench messages

# Where root is needed: an engine, and containers' addresses.
ENGINE = docker/engine.sh
COMPOSE = docker-compose -p homeport -f docker/compose.yaml
# PREBUILT=--prebuilt takes build/bin instead of compiling inside; only on Debian 12.
PREBUILT :=
.PHONY: docker-deps docker-up docker-down docker-logs docker-test
docker-deps:
	@scripts/install-deps.sh docker.io docker-compose debootstrap iptables binutils

docker-up: docker-deps  ## Three regions in containers, with a WAN box and Prometheus: docker/README.md
	@DOCKER_HOST=$$($(ENGINE) start) && export DOCKER_HOST && docker/image.sh $(PREBUILT) && $(COMPOSE) up -d

docker-down:  ## End them and remove their data
	@$(ENGINE) run $(COMPOSE) down -v --remove-orphans
	@$(ENGINE) stop

docker-logs:  ## What they say
	@$(ENGINE) run $(COMPOSE) logs --tail 100

# Names of docker/scenarios, or all. The usual ones take less than 10 minutes.
SCENARIOS := replica_killed zone_lost asymmetric_cut flapping_link region_cut_off
docker-test: docker-deps build  ## Scenarios in containers: SCENARIOS="zone_lost ..." or all
	@$(ENGINE) run sh -c 'docker/image.sh $(PREBUILT) && python3 tests/scenarios/run.py --backend docker \
	  $(if $(filter all,$(SCENARIOS)),docker/scenarios/*.toml,$(SCENARIOS:%=docker/scenarios/%.toml))'

check: format-check lint test  ## Format, lint, all tests

format:  ## Format all sources
	@clang-format -i $(SOURCES)

format-check: deps
	@clang-format --dry-run --Werror $(SOURCES)

lint: deps
	@scripts/lint.sh

clean:  ## Remove what was built
	@rm -rf $(BUILD)
