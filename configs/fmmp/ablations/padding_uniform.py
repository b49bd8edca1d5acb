# Uniform padding in training too.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

data = dict(train=dict(data_cfg=dict(padding='uniform')))
