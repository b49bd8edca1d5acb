# Later layers' losses reach the points of the layers before.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(detach_points=False))
