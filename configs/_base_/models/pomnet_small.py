# A small POMNet that trains in minutes on a laptop: the first three stages of a ResNet-18 of half
# the width, whose last map has 8 x 8 cells of an image of 128 pixels, and a narrow head.
_base_ = ['pomnet_r50.py']

model = dict(
    pretrained=None,
    backbone=dict(
        depth=18,
        base_channels=32,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
    ),
    keypoint_head=dict(
        embed_dims=128, hidden_dims=256, channels=32, num_upsamplings=2, dropout=0.0
    ),
)
