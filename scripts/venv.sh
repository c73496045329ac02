#!/bin/sh
# Creates a virtual environment: venv.sh PYTHON DIRECTORY
# If that is not possible, prints one line with what is missing.
set -eu

directory=$2

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=
for candidate in "$1" python3 python3.13 python3.12 python3.11 python3.14; do
    if is_new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Sigma needs Python 3.11 or newer; '$1' is not: install one, then run make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "'$python' cannot make virtual environments: run 'apt-get install python3-venv', then make again" >&2
    exit 1
fi
"$python" -m venv --clear "$directory"
