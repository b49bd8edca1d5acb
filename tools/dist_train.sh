#!/usr/bin/env bash
# Trains in several processes, one a GPU. On several nodes, run it on each, with NNODES, NODE_RANK,
# MASTER_ADDR (the first node's address) and, if wanted, PORT. With RESTARTS=N a process or a node that
# is lost costs no more than the epoch: add --auto-resume (docs/training.md, Eight to 64 GPUs).
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [ARGUMENTS of train.py]" >&2
    exit 2
fi
config=$1 gpus=$2
shift 2
source "$(dirname "${BASH_SOURCE[0]}")/torchrun.sh"
torchrun "$gpus" train.py "$config" "$@"
