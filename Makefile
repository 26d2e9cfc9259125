# The front door. CMake and Ninja do the build; this only provides the usual targets.
#
#   make build BUILD=/tmp/b            build somewhere else
#   make install PREFIX=/usr DESTDIR=/tmp/package
#   make test-integration PYTEST_ARGS='-k launcher -x' WORKERS=0
BUILD       ?= build
PREFIX      ?= /usr/local
DESTDIR     ?=
CMAKE_ARGS  ?=
PYTEST_ARGS ?=

# A python3 that is earlier on PATH may have no PyTango.
PYTHON := /usr/bin/python3
ASAN   := $(BUILD)-asan
TSAN   := $(BUILD)-tsan
FUZZ   := $(BUILD)-fuzz
WHEEL  := $(BUILD)-wheel

# Tests wait far more than they work, so several of them run for each processor.
WORKERS ?= $(shell n=$$((3 * $$(nproc))); echo $$((n < 16 ? n : 16)))
PYTEST   = scripts/run-pytest $(if $(filter-out 0,$(WORKERS)),-n $(WORKERS) --dist loadgroup)

# On a terminal Ninja shows its progress in one line; in a log it would be hundreds of lines.
NINJA_QUIET := $(shell [ -t 2 ] || echo --quiet)
# Some kernels place memory where gcc's thread sanitizer can't cope; some containers forbid this.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)

C_FILES      = $(shell find $(wildcard src tests bench) -name '*.[ch]' -o -name '*.cpp')
PYTHON_SCRIPTS = scripts/check-includes $(wildcard scripts/picture-*) demo/local-tango demo/missing/move bench/run \
                 packaging/build-wheel packaging/prometheus/make-alerts packaging/grafana/make-dashboard
PYTHON_FILES = $(shell find $(wildcard demo tests bench packaging) -name '*.py') $(PYTHON_SCRIPTS)
SHELL_FILES  = $(filter-out $(PYTHON_SCRIPTS),$(wildcard scripts/*)) .ci/run demo/run demo/run-missing demo/run-attach demo/run-live \
               tests/build.sh tests/compat/run tests/fuzz/run packaging/patch-pytango packaging/build-dist \
               packaging/build-deb packaging/image/local-tango $(wildcard packaging/completion/*)

# The code is compiled by gcc, so some of the warnings that are switched off are gcc's own.
TIDY = clang-tidy -p $(BUILD) --quiet --extra-arg=-Wno-unknown-warning-option

CMAKE_LISTS := $(wildcard CMakeLists.txt bench/CMakeLists.txt src/*/CMakeLists.txt tests/*/CMakeLists.txt \
                          tests/integration/servers/CMakeLists.txt src/version.h.in VERSION)

# Targets follow each other as they are listed, also with -j: Ninja and pytest use the processors.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build
.PHONY: help setup setup-test setup-lint setup-package wheel dist deb image build demo demo-missing demo-attach demo-live test test-all test-unit test-sanitizers \
        test-fuzz fuzz test-bench bench soak test-integration test-harm test-integration-sanitizers \
        test-compat test-packages format lint check-includes install uninstall clean FORCE

help: ## list the targets
	@grep -hE '^[a-z_%-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-28s %s\n", $$1, $$2}'

setup: ## install what building and the demo need (Debian 12 or later; root or sudo)
	@scripts/setup run

setup-test:
	@scripts/setup test browser

setup-lint:
	@scripts/setup test lint

setup-package:
	@scripts/setup package

# configure DIRECTORY, CMAKE-ARGUMENTS. What it says matters only when it fails.
define configure
	@mkdir -p $(1)
	@cmake -S . -B $(1) -G Ninja $(2) $(CMAKE_ARGS) >$(1)/configure.log 2>&1 || \
	    { cat $(1)/configure.log; exit 1; }
	@touch $(1)/build.ninja
endef

# What a configuration depends on besides files: its arguments, and which libraries are installed.
configuration = PREFIX=$(PREFIX) CMAKE_ARGS=$(CMAKE_ARGS) \
    $$(pkg-config --modversion tango yajl jansson cmocka 2>&1 | tr '\n' ' ')

%/configuration: FORCE
	@mkdir -p $*
	@echo "$(configuration)" | cmp -s - $@ || echo "$(configuration)" >$@

$(BUILD)/build.ninja: $(BUILD)/configuration $(CMAKE_LISTS)
	$(call configure,$(BUILD),-DCMAKE_INSTALL_PREFIX='$(PREFIX)')

$(ASAN)/build.ninja: $(ASAN)/configuration $(CMAKE_LISTS)
	$(call configure,$(ASAN),-DSTEM_SANITIZE=address)

$(TSAN)/build.ninja: $(TSAN)/configuration $(CMAKE_LISTS)
	$(call configure,$(TSAN),-DSTEM_SANITIZE=thread)

$(FUZZ)/build.ninja: $(FUZZ)/configuration $(CMAKE_LISTS)
	$(call configure,$(FUZZ),-DSTEM_SANITIZE=fuzzer -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++)

build: setup $(BUILD)/build.ninja ## programs into build/bin, the agent into build/lib
	@cmake --build $(BUILD) -- $(NINJA_QUIET)
	@echo "Built: programs in $(BUILD)/bin, the agent in $(BUILD)/lib."

demo: build ## a local Tango, a publisher, a subscriber, and the monitor watching them
	@BUILD_DIR='$(abspath $(BUILD))' demo/run

demo-missing: build ## an event goes missing, and is found: docs/missing-events.md
	@BUILD_DIR='$(abspath $(BUILD))' demo/run-missing

demo-attach: build ## the agent is loaded into a server and a script that run: docs/attach.md
	@BUILD_DIR='$(abspath $(BUILD))' demo/run-attach

demo-live: build ## the live view of servers that lose events, get stuck and restart; needs a terminal
	@BUILD_DIR='$(abspath $(BUILD))' demo/run-live

# The one works while the other waits.
test: setup-test build wheel test-unit ## every test once, and the unit tests under sanitizers
	@scripts/side-by-side '$(MAKE) test-sanitizers' '$(MAKE) test-integration'

test-all: test test-harm test-integration-sanitizers test-fuzz test-bench ## and attachers and servers that are killed, and what only repeats them: sanitizers, fuzzers, benchmarks

soak: setup-test build ## ten million events, 10 minutes of 50 servers that fail, 10 of 20 that are well, 100,000 polls, 1,000 attachments; hours
	@SOAK_SECONDS=0 SOAK_EVENTS=$${SOAK_EVENTS:-10000000} \
	    OPERATION_SECONDS=$${OPERATION_SECONDS:-600} OPERATION_POLLS=$${OPERATION_POLLS:-100000} \
	    HEALTHY_SECONDS=$${HEALTHY_SECONDS:-600} HARM_ATTACHMENTS=$${HARM_ATTACHMENTS:-1000} \
	    BUILD_DIR='$(abspath $(BUILD))' $(PYTHON) -m pytest -s -o faulthandler_timeout=7200 tests/integration/test_soak.py \
	    tests/integration/test_operation.py tests/integration/test_findings_healthy.py \
	    tests/integration/test_attach_harm.py $(PYTEST_ARGS)

bench: setup-test build wheel ## what agent and monitor cost; an hour, on a machine with nothing else to do
	@cmake --build $(BUILD) --target bench_servers -- $(NINJA_QUIET)
	@BUILD_DIR='$(abspath $(BUILD))' bench/run $(BENCH_ARGS)

test-bench: setup-test build wheel ## that the benchmarks work
	@cmake --build $(BUILD) --target bench_servers -- $(NINJA_QUIET)
	@BUILD_DIR='$(abspath $(BUILD))' bench/run --short

test-unit: setup-test build ## unit tests
	@ctest --test-dir $(BUILD) --parallel $$(nproc) --no-tests=error --output-on-failure

# ctest names the tests as CMake names the programs, so that only those are built.
define build_tests
	@cmake --build $(1) --target \
	    $$(ctest --test-dir $(1) -N $(2) | sed -n 's/^ *Test *#[0-9]*: //p') -- $(NINJA_QUIET)
endef

test-sanitizers: setup-test $(ASAN)/build.ninja $(TSAN)/build.ninja ## unit tests under sanitizers
	$(call build_tests,$(ASAN))
	@ctest --test-dir $(ASAN) --no-tests=error --output-on-failure
	$(call build_tests,$(TSAN),-L tsan)
	@$(FIXED_ADDRESSES) ctest --test-dir $(TSAN) --no-tests=error --output-on-failure -L tsan

test-fuzz: setup-test $(FUZZ)/build.ninja ## a few seconds of each fuzzer
	@cmake --build $(FUZZ) --target fuzzers -- $(NINJA_QUIET)
	@FUZZ_SECONDS=4 tests/fuzz/run $(abspath $(FUZZ))

fuzz: setup-test $(FUZZ)/build.ninja ## 20 minutes of each fuzzer, or FUZZ_SECONDS, of FUZZERS
	@cmake --build $(FUZZ) --target fuzzers -- $(NINJA_QUIET)
	@tests/fuzz/run $(abspath $(FUZZ)) $(FUZZERS)

test-integration: setup-test build wheel ## tests against a real Tango, started and ended by them
	@BUILD_DIR='$(abspath $(BUILD))' $(PYTEST) tests/integration $(PYTEST_ARGS)

test-harm: setup-test build ## attaching where attachers and servers are killed meanwhile; minutes, alone
	@HARM_ATTACHMENTS=$${HARM_ATTACHMENTS:-8} BUILD_DIR='$(abspath $(BUILD))' scripts/run-pytest \
	    tests/integration/test_attach_harm.py $(PYTEST_ARGS)

test-integration-sanitizers: setup-test $(ASAN)/build.ninja ## those of them that are marked for it, under sanitizers
	@cmake --build $(ASAN) -- $(NINJA_QUIET)
	@BUILD_DIR='$(abspath $(ASAN))' TEST_PRELOAD="$$(gcc -print-file-name=libasan.so) \
	    $$(gcc -print-file-name=libubsan.so)" $(PYTEST) tests/integration -m sanitizers $(PYTEST_ARGS)

test-compat: wheel ## the same wheel on other Tango generations (root; makes three root file systems)
	@scripts/setup compat
	@PYTEST_ARGS="$(PYTEST_ARGS)" tests/compat/run $(RELEASES)

# Built separately: with its own prefix, and none of this machine's settings.
$(WHEEL)/build.ninja: $(WHEEL)/configuration $(CMAKE_LISTS)
	$(call configure,$(WHEEL),-DCMAKE_INSTALL_PREFIX=/usr/local -DSTEM_TESTS=OFF)

wheel: setup-package $(WHEEL)/build.ninja ## a Python wheel with all of it, into dist/
	@cmake --build $(WHEEL) -- $(NINJA_QUIET)
	@rm -rf '$(WHEEL)/stage'
	@cmake --install $(WHEEL) --prefix '$(WHEEL)/stage' --strip >$(WHEEL)/install.log || \
	    { cat $(WHEEL)/install.log; exit 1; }
	@packaging/build-wheel '$(WHEEL)/stage'

dist: ## the source archive, into dist/
	@packaging/build-dist

deb: setup-package ## the Debian packages, into dist/
	@packaging/build-deb

image: ## an OCI image with a small Tango, the agent and the monitor, with podman or docker
	@tests/build.sh

test-packages: setup-test build ## the packages, installed in a bare Debian, and the image (root)
	@scripts/setup test package image
	@BUILD_DIR='$(abspath $(BUILD))' $(PYTHON) -m pytest tests/packages $(PYTEST_ARGS)

# build_pytango950: the PyTango wheel of that version that lies in dist/, with the agent inside.
build_pytango%: build ## PyTango 9.5.0 or 9.5.1 (..950, ..951) with the agent, from its wheel in dist/
	@packaging/patch-pytango '$(BUILD)/bin/ska-tango-event-agent' $*

format: setup-lint ## put C and C++ into the house style
	@clang-format -i $(C_FILES)

check-includes: ## that src/ includes downwards only, and in no circle
	@scripts/check-includes

lint: setup-lint $(BUILD)/build.ninja ## style, and what the analysers know to be wrong
	@clang-format --dry-run -Werror $(C_FILES)
	@shellcheck $(SHELL_FILES)
	@$(PYTHON) -m pyflakes $(PYTHON_FILES)
	@scripts/check-includes
	@printf '%s\n' $(filter %.c %.cpp,$(C_FILES)) | xargs -P "$$(nproc)" -I{} sh -c \
	    'found=$$($(TIDY) {} 2>&1) || { echo "$$found"; exit 1; }'
	@echo "Lint: nothing to complain about."

install: build ## into PREFIX, below DESTDIR
	@DESTDIR='$(DESTDIR)' cmake --install $(BUILD) --prefix '$(PREFIX)' >$(BUILD)/install.log || \
	    { cat $(BUILD)/install.log; exit 1; }
	@echo "Installed below $(DESTDIR)$(PREFIX)."

# What install would put there now; of the folders, those that are ours alone.
uninstall: build ## remove from PREFIX, below DESTDIR, what install has put there
	@stage=$$(mktemp -d) && trap 'rm -rf "$$stage"' EXIT && \
	DESTDIR="$$stage" cmake --install $(BUILD) --prefix '$(PREFIX)' >$(BUILD)/install.log && \
	find "$$stage" -not -type d -printf '%P\0' | xargs -0 -I{} rm -f -- '$(DESTDIR)/{}' && \
	{ find "$$stage" -depth -type d -path '*/ska-tango-event-monitor*' -printf '%P\0' | \
	    xargs -0 -I{} rmdir -- '$(DESTDIR)/{}' 2>/dev/null || true; }
	@echo "Removed from $(DESTDIR)$(PREFIX)."

clean: ## remove what was built
	@rm -rf -- '$(BUILD)' '$(ASAN)' '$(TSAN)' '$(FUZZ)' '$(WHEEL)'
