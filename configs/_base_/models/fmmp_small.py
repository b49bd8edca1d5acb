# A small FMMP that trains in minutes on a laptop: a ResNet-18 of half the width, and a quarter of
# the head's arithmetic.
_base_ = ['fmmp_r50.py']

model = dict(
    pretrained=None,
    backbone=dict(depth=18, base_channels=32),
    neck=dict(out_channels=128),
    keypoint_head=dict(num_branches=4, dropout=0.0),
)
