#!/bin/bash
# Build the image that tests/compose.yaml starts, with podman or docker, whichever works here.
#
#   tests/build.sh [ARGUMENT ...]      further arguments of "podman build" or "docker build"
#
# BASE     the Debian image to build it from (default: docker.io/library/debian:bookworm-slim)
# IMAGE    its name (default: localhost/ska-tango-event-monitor)
# ENGINE   the program to use, with its options (default: podman, or docker where that doesn't work)
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."

# The first of them that works: docker needs a running daemon.
working_engine() {
    local engine
    for engine in podman docker; do
        if "$engine" info >/dev/null 2>&1; then
            echo "$engine"
            return
        fi
    done
    echo "build.sh: neither 'podman info' nor 'docker info' succeeds here, so there is nothing to build" \
        "with; on Debian: apt-get install podman" >&2
    return 1
}

ENGINE=${ENGINE:-$(working_engine)}
arguments=(--tag "${IMAGE:-localhost/ska-tango-event-monitor}" --file packaging/image/Containerfile)
[ -z "${BASE:-}" ] || arguments+=(--build-arg "BASE=$BASE")
# The engine's options are words of their own.
# shellcheck disable=SC2086
exec $ENGINE build "${arguments[@]}" "$@" .
