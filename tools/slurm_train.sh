#!/usr/bin/env bash
# Trains under slurm, in a process a GPU. GPUS [8], GPUS_PER_NODE [8, or GPUS if fewer],
# CPUS_PER_TASK [5] and SRUN_ARGS, further options of srun, come from the environment.
set -euo pipefail

if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [ARGUMENTS of train.py]" >&2
    exit 2
fi
partition=$1 job_name=$2 config=$3 work_dir=$4
shift 4
source "$(dirname "${BASH_SOURCE[0]}")/srun.sh"
run "$partition" "$job_name" train.py "$config" --work-dir "$work_dir" "$@"
