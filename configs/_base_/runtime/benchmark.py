# 8 epochs of 56 steps of 16 episodes, for every method alike: minutes on two cores.
_base_ = ['demo.py']

total_epochs = 8
evaluation = dict(interval=8)
