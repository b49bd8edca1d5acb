# CapeFormer with a ResNet-50 backbone, as its authors' code has it.
model = dict(
    type='CapeFormer',
    pretrained='torchvision://resnet50',
    backbone=dict(type='ResNet', depth=50, out_indices=(3,)),
    keypoint_head=dict(
        type='TwoStageHead',
        embed_dims=256,
        num_encoder_layers=3,
        num_decoder_layers=3,
        num_heads=8,
        hidden_dims=2048,
        dropout=0.1,
        heatmap_loss_weight=2.0,
    ),
    test_cfg=dict(query_batch_size=15),
)
