# Both: a start from a match of the neck's features, and layers that compare.
_base_ = ['resnet_local_match.py']

model = dict(keypoint_head=dict(initial_points='matching'))
