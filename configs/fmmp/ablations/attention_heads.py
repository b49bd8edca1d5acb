# FGSA as the paper's figure draws it: each head of one attention has its own reference.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(attention='heads'))
