# FMMP on the starter's backbone and projection, on the rendered models that they have learned on:
# docs/rendered.md.
_base_ = ['rendered_long.py']

model = dict(
    backbone=dict(
        weights='{{ fileDirname }}/../starter/tuned_matching_efficientnet_lite0.backbone.safetensors'
    ),
    projection='{{ fileDirname }}/../starter/tuned_matching_efficientnet_lite0.safetensors',
)
total_epochs = 70
evaluation = dict(interval=14)
