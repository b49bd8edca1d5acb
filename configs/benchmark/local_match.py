# Every layer compares the query with the supports around its current points.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(local_match=(0.3, 0.15, 0.08)))
