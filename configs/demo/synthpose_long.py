# The demo for an hour: 100 epochs of 56 steps.
_base_ = ['synthpose.py']

total_epochs = 100
evaluation = dict(interval=20)
