# MP-100 padded by zeros, with each category's skeleton.
_base_ = ['mp100_zero_padding.py']

data = dict(data_cfg=dict(num_links=200))
