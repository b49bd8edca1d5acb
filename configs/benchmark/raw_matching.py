# Queries start where the backbone's features match the supports'.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(initial_points='raw_matching'))
