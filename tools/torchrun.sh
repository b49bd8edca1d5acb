# For dist_train.sh and dist_test.sh: torchrun GPUS SCRIPT [ARGUMENTS] runs a script of this folder
# in a process a GPU, and so becomes it.
torchrun() {
    local gpus=$1 script=$2 cores where=(--standalone)  # a free port on this machine
    shift 2
    if [ -n "${RESTARTS:-}" ]; then
        # Processes that fail, and those of a node that comes back, are started again together. They
        # meet anew each time, in a store of their own.
        export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
        where=(
            --nnodes "${NNODES:-1}" --max_restarts "$RESTARTS" --rdzv_id "${JOB_ID:-fmmp}"
            --rdzv_backend c10d --rdzv_endpoint "${MASTER_ADDR:-127.0.0.1}:${PORT:-29500}"
        )
    elif [ "${NNODES:-1}" -gt 1 ] || [ -n "${PORT:-}" ]; then
        where=(
            --nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}"
            --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}"
        )
    fi
    # The processes share the cores; torchrun itself would give each of them one.
    cores=$(($(getconf _NPROCESSORS_ONLN) / gpus))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > 1 ? cores : 1))}
    exec "${PYTHON:-python}" -m torch.distributed.run "${where[@]}" --nproc_per_node "$gpus" \
        "$(dirname "${BASH_SOURCE[0]}")/$script" "$@" --launcher pytorch
}
