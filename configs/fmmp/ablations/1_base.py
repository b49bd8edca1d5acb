# First row: supports give their features once; deformable attention on the query. 69.82.
_base_ = ['2_recurrent_support_mining.py']

model = dict(keypoint_head=dict(mine_support=False))
