#!/bin/sh
# Makes the virtual environment in $1 with the pinned packages, and the project itself in it.
set -eu

venv=$1
python=${PYTHON:-python3}
uv_version=0.13.9

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -m venv "$venv"; then
        # Debian splits venv off into a package of its own.
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
            echo "setup: install Python's venv module first (Debian: python3-venv)" >&2
            exit 1
        }
        rm -rf "$venv"
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        "$python" -m venv "$venv"
    fi
fi
"$venv/bin/python" -m uv --version 2>/dev/null | grep -q " $uv_version" ||
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
UV_COMPILE_BYTECODE=1 "$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python" \
    --require-hashes --requirement requirements/dev.txt
"$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python" \
    --no-deps --no-build-isolation --editable .
touch "$venv/.ready"
