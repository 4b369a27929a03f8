#!/bin/sh
# The locked environment in .venv. Needs a Python of 3.11 or newer; brings uv itself where the machine has none. A .venv
# that works is kept, for a stack may run in it; only what uv.lock says is missing or of another version is changed.
set -eu
cd "$(dirname "$0")/../.."

UV_VERSION=0.13.9 # the build backend of every member takes it; that of libs/events takes older ones, too

fail() {
    printf '%s\n' "$1" >&2
    exit 2
}

# Whether this Python starts and is new enough.
serves() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Which installed Python this is, by whatever way it was named: a shim, a link, the .venv that was made of it.
installation() {
    "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null
}

# Whether the .venv's own Python is to be used: it works, and $PYTHON, if it is set, names the Python it was made of.
keeps_own() {
    serves "$own" || return 1
    [ -z "${PYTHON:-}" ] || [ "$(installation "$PYTHON")" = "$(installation "$own")" ]
}

# The .venv's own Python, else the first that is new enough; $PYTHON alone if it is set. To uv the path of a shim such as
# pyenv's is another Python than the one behind it: named so, it would make the .venv anew, under a running stack.
find_python() {
    if keeps_own; then
        printf '%s\n' "$own"
        return
    fi
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if serves "$candidate"; then
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

own=.venv/bin/python
python=$(find_python)
uv=$(find_uv)
export UV_PYTHON_DOWNLOADS=never
"$uv" sync --quiet --locked --python "$python" ||
    fail "The environment could not be made from uv.lock; the lines above say why."
