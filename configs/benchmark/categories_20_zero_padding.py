# The same without mixup padding and its loss, which fewer categories should need more.
_base_ = ['ladder_3.py']

data = dict(train=dict(valid_class_ids=[*range(1, 21)], num_episodes=45))
