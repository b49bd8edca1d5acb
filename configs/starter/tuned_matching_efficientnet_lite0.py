# What `starter` in place of a checkpoint stands for: see docs/starter.md. Its data set is that of the
# config beside the word, with room for as many keypoints as that says. Backbone and projection are
# what configs/matching/tuned_efficientnet_lite0_rendered.py has learned.
_base_ = ['matching_efficientnet_lite0.py']

model = dict(
    backbone=dict(weights='{{ fileDirname }}/tuned_matching_efficientnet_lite0.backbone.safetensors'),
    projection='{{ fileDirname }}/tuned_matching_efficientnet_lite0.safetensors',
)
