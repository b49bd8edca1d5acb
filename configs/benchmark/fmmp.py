# The whole method: the ladder's last row, and FMMP beside other methods.
_base_ = [
    '../_base_/models/fmmp_lite0_small.py',
    '../_base_/datasets/synthpose_benchmark.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/benchmark.py',
]
