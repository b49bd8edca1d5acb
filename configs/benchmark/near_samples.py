# Samples of every level start within four cells of the finest.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(near_samples=True))
