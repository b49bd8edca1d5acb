# The same with queries that start from a match of its features, and layers that match around their
# points.
_base_ = ['fmmp_lite0_small.py']

model = dict(
    keypoint_head=dict(initial_points='raw_matching', local_match=(0.3, 0.15, 0.08)),
)
