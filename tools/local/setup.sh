#!/bin/sh
# The locked environment in .venv. Needs a Python of 3.11 or newer; brings uv itself where the machine has none.
set -eu
cd "$(dirname "$0")/../.."

UV_VERSION=0.13.9 # the build backend of every member takes it; that of libs/events takes older ones, too

fail() {
    printf '%s\n' "$1" >&2
    exit 2
}

# The first Python that is new enough; $PYTHON alone if it is set.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Ringback needs Python 3.11 or newer: install one and put it on the path, or name it with PYTHON=/path/to/python."
}

# uv of the wanted version: the path's, else one in a virtual environment of its own.
find_uv() {
    if [ "$(uv --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; then
        command -v uv
        return
    fi
    own=.tools/uv-$UV_VERSION
    [ -x "$own/bin/uv" ] || bring_uv "$own"
    printf '%s\n' "$own/bin/uv"
}

# Made elsewhere and renamed, so that an interrupted set-up is never taken for a finished one.
bring_uv() {
    rm -rf "$1" "$1.partial"
    mkdir -p .tools
    "$python" -m venv "$1.partial" >"$1.log" 2>&1 ||
        fail "Python's module venv does not work; install it (on Debian the package python3-venv); see $1.log."
    "$1.partial/bin/python" -m pip install --quiet "uv==$UV_VERSION" >"$1.log" 2>&1 ||
        fail "uv $UV_VERSION could not be fetched from the package index; see $1.log."
    mv "$1.partial" "$1"
}

python=$(find_python)
uv=$(find_uv)
export UV_PYTHON_DOWNLOADS=never
"$uv" sync --quiet --locked --python "$python" ||
    fail "The environment could not be made from uv.lock; the lines above say why."
