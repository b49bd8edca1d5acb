# Two layers.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(num_layers=2))
