# For slurm_train.sh and slurm_test.sh: run PARTITION JOB_NAME SCRIPT [ARGUMENTS] runs a script of
# this folder in a process a GPU, and so becomes srun.
run() {
    local partition=$1 job_name=$2 script=$3 gpus=${GPUS:-8} per_node
    shift 3
    per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
    # shellcheck disable=SC2086  # SRUN_ARGS are words
    exec srun --partition "$partition" --job-name "$job_name" --gres "gpu:$per_node" \
        --ntasks "$gpus" --ntasks-per-node "$per_node" --cpus-per-task "${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        "${PYTHON:-python}" -u "$(dirname "${BASH_SOURCE[0]}")/$script" "$@" --launcher slurm
}
