#!/usr/bin/env bash
# Installs what only `make bench` needs into .venv-bench; a second run only compares checksums.
#
#   .venv-bench                  psycopg, matplotlib, pyinstrument, and a boto3 alone, as Lambda's runtime has it
#   .venv-bench/typical          the package that the typical stack would deploy, not compiled, as on Lambda
#   .venv-bench/dynamodb-local   Amazon's DynamoDB Local, out of an npm package
#
# PostgreSQL, Valgrind and Java come from the system. What is missing is said here, and the part that needs it refuses to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SIMULATOR=amplify-dynamodb-simulator@2.9.30
key="$(readlink -f .venv/bin/python) $PWD $SIMULATOR $(cat requirements/bench*.txt bench/setup.sh | cksum)"

if [ "$(cat .venv-bench/.ready 2>/dev/null)" != "$key" ]; then
    echo "bench: installing what only the bench needs into .venv-bench"
    rm -rf .venv-bench
    .venv/bin/uv venv --quiet --python .venv/bin/python .venv-bench
    install() { .venv/bin/uv pip install --quiet --python .venv-bench/bin/python --require-hashes "$@"; }
    # Compiled, as the runtime's boto3 is; the package is not, since Lambda has no place to keep what it compiles.
    install --compile-bytecode -r requirements/bench.txt
    install --target .venv-bench/typical -r requirements/bench-typical.txt
    if command -v npm >/dev/null && command -v java >/dev/null; then
        scratch=$(mktemp -d)
        (cd "$scratch" && npm pack --silent "$SIMULATOR" >/dev/null && tar xzf ./*.tgz)
        mv "$scratch/package/emulator" .venv-bench/dynamodb-local
        rm -rf "$scratch"
    else
        echo "bench: DynamoDB Local needs npm and Java 17 or newer (Debian: apt-get install npm default-jre-headless)"
    fi
    echo "$key" >.venv-bench/.ready
fi

need() { # a package of Debian's, and what it is called
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "bench: installing $2, Debian's package"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$1" >/dev/null
    else
        echo "bench: $2 is missing (Debian: apt-get install $1)"
    fi
}
compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || need postgresql PostgreSQL
command -v valgrind >/dev/null || need valgrind Valgrind
