#!/usr/bin/env bash
# Makes an environment with the pinned Python packages at target/py, once per
# pin, and prints the path of its interpreter. Nothing is asked of the network
# when it is there. Tests of several processes may call it at the same time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$here/../../target"
target=$(cd "$here/../../target" && pwd)
place="$target/py"
python="$place/bin/python"

exec 9>"$target/py.lock"
if command -v flock >/dev/null; then
    flock 9
fi
if ! cmp -s "$here/requirements.txt" "$place/installed.txt" || ! "$python" -c '' 2>/dev/null; then
    echo "installing Python packages into target/py …" >&2
    # --clear: an environment that was moved or left half made cannot be mended.
    python3 -m venv --clear "$place" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$place/installed.txt"
fi
echo "$python"
