# The head learns at a third of the rate.
_base_ = ['fmmp.py']

optimizer = dict(paramwise_cfg=dict(custom_keys={'keypoint_head': dict(lr_mult=1 / 3)}))
