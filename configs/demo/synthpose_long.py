# The demo for longer: 80 epochs of 56 steps, in 35 minutes on two idle cores.
_base_ = ['synthpose.py']

total_epochs = 80
evaluation = dict(interval=20)
