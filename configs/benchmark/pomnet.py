# POMNet on the benchmark's frozen backbone, whose map at stride 16 has 8 x 8 cells.
_base_ = [
    '../_base_/models/pomnet_small.py',
    '../_base_/datasets/synthpose_benchmark_zero_padding.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/benchmark.py',
]

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
        out_indices=(1,),
    ),
)
