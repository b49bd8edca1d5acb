# The official schedule: FMMP's with a tenth of the learning rate. Validation as theirs.
_base_ = [
    '../../_base_/models/capeformer_r50.py',
    '../../_base_/datasets/mp100_zero_padding.py',
    '../../_base_/schedules/adam_200e.py',
    '../../_base_/runtime/default.py',
]

optimizer = dict(lr=1e-5)
data = dict(val=dict(num_episodes=100))
evaluation = dict(interval=50, save_best='PCK@0.2')
