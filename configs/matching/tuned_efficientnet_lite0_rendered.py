# The starter's features: EfficientNet-Lite0 learns with the projection that was learned on it, on the same
# rendered models: docs/starter.md.
_base_ = ['learned_efficientnet_lite0_rendered.py']

model = dict(
    learn_backbone=True,
    kept=('model.conv_stem', 'model.bn1', 'model.blocks.0', 'model.blocks.1'),  # up to stride 4
    pretrained='package:efficientnet_lite0',
    backbone=dict(weights=None, frozen=False),
    projection='{{ fileDirname }}/../starter/learned_matching_efficientnet_lite0.safetensors',
)
optimizer = dict(lr=1e-4)
total_epochs = 26
evaluation = dict(interval=13)
