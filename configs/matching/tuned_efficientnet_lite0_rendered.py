# The starter's features: EfficientNet-Lite0 itself learns on from the projection that was learned on it, on
# the same rendered models: docs/starter.md.
_base_ = ['learned_efficientnet_lite0_rendered.py']

model = dict(
    learn_backbone=True,
    pretrained='package:efficientnet_lite0',
    backbone=dict(weights=None, frozen=False),
    projection='{{ fileDirname }}/../starter/learned_matching_efficientnet_lite0.safetensors',
)
optimizer = dict(lr=1e-4, paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.3)}))
total_epochs = 12
evaluation = dict(interval=4)
