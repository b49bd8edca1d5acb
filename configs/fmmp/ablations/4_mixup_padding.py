# Fourth row: mixup padding, without a loss on the padded keypoints. 77.41.
_base_ = ['5_mixup_loss.py']

model = dict(keypoint_head=dict(mix_loss_weight=0.0))
