# FMMP on the starter's backbone and projection, on the rendered models that they have learned on:
# docs/rendered.md. Three hours of one core; on two:
#   tools/dist_train.sh configs/demo/rendered_starter.py 2 --seed 0 --cfg-options data.samples_per_gpu=8
_base_ = ['rendered_long.py']

model = dict(
    backbone=dict(
        weights='{{ fileDirname }}/../starter/tuned_matching_efficientnet_lite0.backbone.safetensors'
    ),
    projection='{{ fileDirname }}/../starter/tuned_matching_efficientnet_lite0.safetensors',
)
total_epochs = 200
evaluation = dict(interval=40)
