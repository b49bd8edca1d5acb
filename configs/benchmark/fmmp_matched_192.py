# Crops of 192 pixels, 24 x 24 cells at the finest level.
_base_ = ['fmmp_matched.py']

data = dict(data_cfg=dict(image_size=192))
