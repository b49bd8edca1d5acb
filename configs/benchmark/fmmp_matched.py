# FMMP that starts from a match of the backbone's features, with layers that match around their points.
_base_ = ['fmmp.py']

model = dict(
    keypoint_head=dict(initial_points='raw_matching', local_match=(0.3, 0.15, 0.08)),
)
