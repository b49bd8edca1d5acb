# Both: a start from a match of the backbone's features, and layers that compare.
_base_ = ['local_match.py']

model = dict(keypoint_head=dict(initial_points='raw_matching'))
