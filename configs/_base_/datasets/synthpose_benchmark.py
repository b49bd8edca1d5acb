# The benchmark's data: SynthPose with 240 categories, drawn from seed 0, in crops of 128 pixels; 222
# categories to train on, and 20 episodes of each of the twelve new ones, 3600 pairs, to test on.
_base_ = ['synthpose_240.py']

data = dict(val=dict(num_queries=15), test=dict(num_episodes=20))
