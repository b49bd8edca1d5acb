# The same at 280 steps and with one seed.
_base_ = ['methods.py']

seeds = [0]
cfg_options = {'total_epochs': 5}
