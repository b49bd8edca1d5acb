#!/usr/bin/env bash
# Proves and measures FMMP on this machine's card, and writes what it finds as JSON and as a page.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='usage: bash benchmarks/gpu.sh [--minutes 9] [--device cuda|cpu] [--steps NAME …] [--wheels DIR]
       bash benchmarks/gpu.sh --collect DIR [--torch 2.11]

The first runs all steps (benchmarks/gpu/steps.py) in the active environment, else in .venv, as
install.sh leaves it, and writes work_dirs/gpu/result.json and page.md. --device cpu: everything tiny,
to try the script itself.

The second gathers what FMMP needs beside torch in DIR, as wheels for $PYTHON [python3] and a version of
torch. With --wheels DIR the first then runs where there is a python with torch and no package index.'

python=${PYTHON:-}
if [ -z "$python" ]; then
    python=python3
    if [ -n "${VIRTUAL_ENV:-}" ]; then
        python=$VIRTUAL_ENV/bin/python
    elif [ -x .venv/bin/python ]; then
        python=.venv/bin/python
    fi
fi
case ${1:-} in
    -h | --help) echo "$usage"; exit ;;
    --collect) shift; exec "$python" -m benchmarks.gpu.wheels collect "$@" ;;
esac

wheels='' arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --wheels) wheels=${2:?--wheels: name the folder}; shift 2 ;;
        *) arguments+=("$1"); shift ;;
    esac
done
if [ -n "$wheels" ]; then
    "$python" -m benchmarks.gpu.wheels install "$wheels" work_dirs/gpu/venv
    python=work_dirs/gpu/venv/bin/python
fi
exec "$python" -m benchmarks.gpu.run --spent "$SECONDS" "${arguments[@]}"
