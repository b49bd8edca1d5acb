# The padded keypoints' loss counts as much as the real ones'.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(mix_loss_weight=1.0))
