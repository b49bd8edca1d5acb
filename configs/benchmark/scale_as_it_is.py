# The backbone's maps are projected as they are, with root mean squares of 8, 7 and 3.
_base_ = ['fmmp.py']

model = dict(neck=dict(unit_scale=False))
