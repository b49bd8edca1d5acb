# Every layer compares the query with the supports around its current points, before the MLP.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(local_match=(0.3, 0.15, 0.08)))
