# 60 categories to train on, at about as many steps.
_base_ = ['fmmp.py']

data = dict(train=dict(valid_class_ids=[*range(1, 43), *range(61, 79)], num_episodes=15))
