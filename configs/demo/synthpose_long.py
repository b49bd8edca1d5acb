# The demo for an hour: 135 epochs of 56 steps on two idle cores.
_base_ = ['synthpose.py']

total_epochs = 135
evaluation = dict(interval=27)
