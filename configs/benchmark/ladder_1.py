# Supports give their features once; ordinary deformable attention on the query.
_base_ = ['ladder_2.py']

model = dict(keypoint_head=dict(mine_support=False))
