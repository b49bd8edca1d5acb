# FGSA as the paper's figure draws it: each head of one attention has its own reference.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(attention='heads'))
