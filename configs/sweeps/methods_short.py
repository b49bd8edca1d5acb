# The same on crops of 64 pixels, at 280 steps and with one seed.
_base_ = ['methods.py']

seeds = [0]
cfg_options = {'data.data_cfg.image_size': 64, 'total_epochs': 5}
