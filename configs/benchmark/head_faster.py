# The head learns at three times the rate.
_base_ = ['fmmp.py']

optimizer = dict(paramwise_cfg=dict(custom_keys={'keypoint_head': dict(lr_mult=3)}))
