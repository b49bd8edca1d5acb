# A start from a match, layers that compare, and gradients from layer to layer.
_base_ = ['fmmp_matched.py']

model = dict(keypoint_head=dict(detach_points=False))
