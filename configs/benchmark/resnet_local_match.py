# The same whose layers compare.
_base_ = ['resnet.py']

model = dict(keypoint_head=dict(local_match=(0.3, 0.15, 0.08)))
