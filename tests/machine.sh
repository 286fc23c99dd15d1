#!/usr/bin/env bash
# Looks whether this machine has what `make test` needs. On a Debian machine,
# as root, installs what is missing; elsewhere says what to install.
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

need "a C compiler and linker" build-essential cc --version
need "Python 3" python3 python3 --version
need "Python's venv with pip" python3-venv python3 -c 'import ensurepip, venv'
need "Node" nodejs node --version
need "npm" npm npm --version
need "valgrind" valgrind valgrind --version

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

if ! command -v cargo >/dev/null; then
    echo "missing: Rust 1.95 or newer (rustup installs it)"
    exit 1
fi
echo "$(cargo --version), $(python3 --version), Node $(node --version)"
