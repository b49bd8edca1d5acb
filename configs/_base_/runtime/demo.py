# 17 epochs of 56 steps: minutes on two cores.
_base_ = ['default.py']

total_epochs = 17
log_config = dict(interval=10)
checkpoint_config = dict(interval=1, max_keep_ckpts=1)
evaluation = dict(interval=6)
