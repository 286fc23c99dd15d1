#!/usr/bin/env bash
# Installs the pinned linter of the contract into target/lint, once per pin, and
# prints the path of `buf`. Nothing is asked of the network when it is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
place="$here/../../target/lint"
mkdir -p "$place"
place=$(cd "$place" && pwd)
buf="$place/node_modules/.bin/buf"

if ! cmp -s "$here/package.json" "$place/installed.json" || [ ! -x "$buf" ]; then
    echo "installing buf (npm) into target/lint …" >&2
    cp "$here/package.json" "$place/"
    # No lock file: buf pins its own parts exactly, and a lock would name only
    # the platforms that the registry at hand has.
    (cd "$place" && npm install --no-package-lock --ignore-scripts --prefer-offline \
        --no-audit --no-fund --no-progress --loglevel=error) >&2
    cp "$here/package.json" "$place/installed.json"
fi
echo "$buf"
