# Structural references, but keypoints padded by zeros.
_base_ = ['ladder_4.py']

data = dict(
    train=dict(data_cfg=dict(padding='zero')),
    val=dict(data_cfg=dict(padding='zero')),
    test=dict(data_cfg=dict(padding='zero')),
)
