# A frozen backbone with ImageNet's weights, queries that start from a match of its features, and
# layers that match around their points.
_base_ = ['synthpose.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
    ),
    neck=dict(unit_scale=True),
    keypoint_head=dict(initial_points='raw_matching', local_match=(0.3, 0.15, 0.08)),
)
total_epochs = 13
evaluation = dict(interval=13)
