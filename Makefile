# The front door. The build itself is CMake and Ninja; this only gives the usual words.
BUILD  ?= build
PREFIX ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := build

.PHONY: help setup build configure

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-18s %s\n", $$1, $$2}'

configure: $(BUILD)/build.ninja

$(BUILD)/build.ninja: CMakeLists.txt VERSION
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(CMAKE_ARGS)

build: configure ## programs into build/bin, the agent into build/lib
	cmake --build $(BUILD)
