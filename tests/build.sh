#!/bin/bash
# Build the image that tests/compose.yaml starts, with podman or docker, whichever is there.
#
#   tests/build.sh [ARGUMENT ...]      further arguments of "podman build" or "docker build"
#
# BASE     the Debian image to build it from (default: docker.io/library/debian:bookworm-slim)
# IMAGE    its name (default: localhost/ska-tango-event-monitor)
# ENGINE   the program to use, with its options (default: podman, or docker)
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."

if [ -z "${ENGINE:-}" ]; then
    for ENGINE in podman docker; do
        command -v "$ENGINE" >/dev/null && break
    done
fi
if ! command -v "${ENGINE%% *}" >/dev/null; then
    echo "build.sh: there is neither podman nor docker; on Debian: apt-get install podman" >&2
    exit 1
fi
arguments=(--tag "${IMAGE:-localhost/ska-tango-event-monitor}" --file packaging/image/Containerfile)
[ -z "${BASE:-}" ] || arguments+=(--build-arg "BASE=$BASE")
# The engine's options are words of their own.
# shellcheck disable=SC2086
exec $ENGINE build "${arguments[@]}" "$@" .
