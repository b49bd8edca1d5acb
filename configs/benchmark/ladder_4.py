# Mixup padding, without a loss on the padded keypoints.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(mix_loss_weight=0.0))
