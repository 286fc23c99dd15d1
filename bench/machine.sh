#!/usr/bin/env bash
# Looks whether this machine has what `make bench` needs. On a Debian machine,
# as root, installs what is missing; elsewhere says what to install. The bench
# starts servers of its own: those that a package may have started are not used.
set -euo pipefail

missing=()
need() { # what it is, the Debian package, how to see that it is there
    local what=$1 package=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        echo "missing: $what (Debian: $package)"
        missing+=("$package")
    fi
}

need "Python 3" python3 python3 --version
need "PostgreSQL with pgbench" postgresql python3 -B "$(dirname "$0")/peers/postgres.py"
need "Redis" redis-server redis-server --version
need "redis-benchmark" redis-tools redis-benchmark --version

if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "installing: ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    else
        echo "Please install them (on Debian: sudo apt-get install ${missing[*]}), then try again."
        exit 1
    fi
fi
