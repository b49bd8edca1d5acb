# Crops of 256 pixels, the release's: 32 x 32 cells at the finest level.
_base_ = ['fmmp_matched.py']

data = dict(data_cfg=dict(image_size=256))
