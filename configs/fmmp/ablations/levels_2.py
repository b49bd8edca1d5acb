# The two coarser levels, strides 16 and 32.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(backbone=dict(out_indices=(2, 3)))
