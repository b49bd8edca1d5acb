# 20 categories to train on, at about as many steps.
_base_ = ['fmmp.py']

data = dict(train=dict(valid_class_ids=[*range(1, 21)], num_episodes=45))
