# The whole method: the ladder's last row, and FMMP beside other methods.
_base_ = [
    '../_base_/models/fmmp_small.py',
    '../_base_/datasets/synthpose_benchmark.py',
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
    ),
    neck=dict(unit_scale=True),
)
