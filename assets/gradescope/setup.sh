#!/usr/bin/env bash
# Runs once, when Gradescope builds the image: Python, the libraries that grading needs, and a look
# at whether all is there. What fails here stops the build, before any student is graded.
# Usage: setup.sh [FOLDER in place of /autograder]
set -euo pipefail
folder=${1:-/autograder}
source=$folder/source
libraries=(torch torchvision torchmetrics numpy mpmath safetensors PyYAML tqdm pypdfium2 pillow nbformat platformdirs)

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}
trap 'fail "line $LINENO failed; the autograder would not work"' ERR

find_python() {
    local name
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        if "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
            2> /dev/null; then
            echo "$name"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    command -v apt-get > /dev/null || fail "needs Python 3.11 or newer, and apt-get to install it"
    apt-get update
    for version in 3.13 3.12 3.11; do
        apt-get install -y "python$version" "python$version-venv" && break
    done
    python=$(find_python)
fi
[ -n "$python" ] || fail "needs Python 3.11 or newer; choose a base image with a newer Ubuntu"

"$python" -m venv "$folder/venv"
index=()
[ ! -f "$source/pytorch-index" ] || index=(--extra-index-url "$(cat "$source/pytorch-index")")
"$folder/venv/bin/python" -m pip install --no-cache-dir --disable-pip-version-check \
    "${index[@]}" -c "$source/constraints.txt" "${libraries[@]}"

"$folder/venv/bin/python" -m compileall -q "$source/src"
env LATENTWALK_ROOT="$source" LATENTWALK_BUILD="$folder/graded" LATENTWALK_CACHE="$source/mnist" \
    PYTHONPATH="$source/src" "$folder/venv/bin/python" -c \
    'from latentwalk.assignment import ASSIGNMENT; from problemset.grading.gradescope import entry; print(entry.ready(ASSIGNMENT))'
