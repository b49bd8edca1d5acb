# FMMP on a projection, on rendered models: queries start where matching under what the starter's features
# began from finds them, and layers move them from there within narrow windows: docs/rendered.md.
_base_ = ['rendered.py']

model = dict(
    projection='{{ fileDirname }}/../starter/learned_matching_efficientnet_lite0.safetensors',
    keypoint_head=dict(local_match=(0.1, 0.05, 0.03), loss_bound=0.2),
)
data = dict(data_cfg=dict(image_size=256, num_keypoints=24))
total_epochs = 150
evaluation = dict(interval=25)
