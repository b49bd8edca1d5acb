# FMMP with a ResNet-50 backbone, as the authors' release has it.
model = dict(
    type='FMMP',
    pretrained='torchvision://resnet50',
    backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(1, 2, 3),
        # frozen_stages=1, norm_eval=True,  # freeze the stem and a stage; all running means
    ),
    neck=dict(type='FeaturePyramid', out_channels=256),
    keypoint_head=dict(
        type='RecurrentMiningHead',
        num_layers=3,
        num_branches=8,
        num_heads=8,
        num_points=4,
        dropout=0.1,
        mix_loss_weight=0.5,
    ),
    test_cfg=dict(query_batch_size=15),
)
