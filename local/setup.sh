#!/usr/bin/env bash
# Makes the two environments and brings them to their locks; a second run only compares checksums.
#
#   .venv         development, tests, sam
#   .venv-engine  the embedded engine, whose pinned botocore does not fit beside sam's
#
# PYTHON chooses the interpreter (any from 3.11 on); without it an existing .venv keeps its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "setup: $*" >&2
    exit 1
}

# The interpreter behind $1: not a shim and not the environment that is about to be replaced.
interpreter() {
    "$1" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))' 2>/dev/null
}

source local/patiently.sh

# Shows what is downloaded and how many packages went in, not each package's name.
sync() {
    local environment=$1 lock=$2
    .venv/bin/uv pip sync --require-hashes --python "$environment/bin/python" "$lock" 2>&1 |
        awk '!/^ *([-+~] |Using Python)/ { sub(/^ */, "  "); print; fflush() }' ||
        fail "the packages of $lock could not be installed into $environment (the reason is above)"
}

wanted=${PYTHON:-}
if [ -n "$wanted" ]; then
    chosen=$(interpreter "$wanted") || fail "'$wanted' is not a Python that runs; choose one with: make PYTHON=/path/to/python3"
elif [ -x .venv/bin/python ] && chosen=$(interpreter .venv/bin/python); then
    :
else
    chosen=$(interpreter python3) || fail "no 'python3' was found; install Python 3.11 or newer, or choose one with: make PYTHON=/path/to/python3"
fi
version=$("$chosen" -c 'import platform; print(platform.python_version())')
"$chosen" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed and '${wanted:-python3}' is $version; choose another with: make PYTHON=/path/to/python3"

# A folder that moved breaks the scripts inside an environment, so its place is part of the identity.
identity="$chosen $version $PWD"
key="$identity $(cat requirements/bootstrap.txt requirements/dev.txt requirements/engine.txt local/setup.sh | cksum)"
if [ "$(cat .venv/.ready 2>/dev/null)" = "$key" ]; then
    exit 0
fi

if [ "$(cat .venv/.made 2>/dev/null)" != "$identity" ]; then
    "$chosen" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "the venv module of Python $version is missing; on Debian and Ubuntu install the package python3-venv"
    echo "setup: making .venv with Python $version"
    rm -rf .venv .venv-engine
    patiently "making .venv" "$chosen" -m venv .venv
    patiently "installing uv" .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
    echo "$identity" >.venv/.made
fi
rm -f .venv/.ready
echo "setup: installing sam, the libraries and the test tools into .venv (590 MB)"
patiently "installing" sync .venv requirements/dev.txt
echo "setup: installing the embedded engine into .venv-engine (65 MB)"
[ -x .venv-engine/bin/python ] || .venv/bin/uv venv --quiet --python "$chosen" .venv-engine
patiently "installing" sync .venv-engine requirements/engine.txt
echo "$key" >.venv/.ready
