#!/usr/bin/env bash
# Tests in several processes, one a GPU, with the result of one. On several nodes, run it on each,
# with NNODES, NODE_RANK, MASTER_ADDR (the first node's address) and, if wanted, PORT.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [ARGUMENTS of test.py]" >&2
    exit 2
fi
config=$1 checkpoint=$2 gpus=$3
shift 3
source "$(dirname "${BASH_SOURCE[0]}")/torchrun.sh"
torchrun "$gpus" test.py "$config" "$checkpoint" "$@"
