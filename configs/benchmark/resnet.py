# FMMP on half a ResNet-18 from random weights, which is trained with it.
_base_ = [
    '../_base_/models/fmmp_small.py',
    '../_base_/datasets/synthpose_benchmark.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/benchmark.py',
]
