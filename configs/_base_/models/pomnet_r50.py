# POMNet with two ResNet-50 backbones, as the official code has it.
model = dict(
    type='POMNet',
    pretrained='torchvision://resnet50',
    backbone=dict(type='ResNet', depth=50, out_indices=(3,)),
    keypoint_head=dict(
        type='HeatmapMatchingHead',
        embed_dims=256,
        num_layers=3,
        num_heads=8,
        hidden_dims=2048,
        channels=256,
        dropout=0.1,
        batch_norm='each',  # or 'real': without padded keypoints
    ),
    test_cfg=dict(query_batch_size=15),
)
