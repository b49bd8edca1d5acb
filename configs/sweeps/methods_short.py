# The same at 168 steps and with one seed.
_base_ = ['methods.py']

seeds = [0]
cfg_options = {'total_epochs': 3}
