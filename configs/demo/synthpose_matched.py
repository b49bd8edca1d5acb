# A frozen backbone with ImageNet's weights, and queries that start from a match.
_base_ = ['synthpose.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
    ),
    keypoint_head=dict(initial_points='matching'),
)
total_epochs = 14
evaluation = dict(interval=7)
