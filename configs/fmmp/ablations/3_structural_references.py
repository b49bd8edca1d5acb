# Third row: structural references, but keypoints padded by zeros. 76.23.
_base_ = ['4_mixup_padding.py']

data = dict(
    train=dict(data_cfg=dict(padding='zero')),
    val=dict(data_cfg=dict(padding='zero')),
    test=dict(data_cfg=dict(padding='zero')),
)
