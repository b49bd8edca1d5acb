_base_ = [
    '../../_base_/models/pomnet_r50.py',
    '../../_base_/datasets/mp100_zero_padding.py',
    '../../_base_/schedules/pomnet_210e.py',
    '../../_base_/runtime/default.py',
]

data = dict(val=dict(num_episodes=100))
evaluation = dict(save_best='PCK@0.2')
