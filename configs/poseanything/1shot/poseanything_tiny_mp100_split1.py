# The official schedule: FMMP's with a tenth of the learning rate. Validation as theirs.
_base_ = [
    '../../_base_/models/poseanything_tiny.py',
    '../../_base_/datasets/mp100_skeleton.py',
    '../../_base_/schedules/adam_200e.py',
    '../../_base_/runtime/default.py',
]

optimizer = dict(lr=1e-5)
data = dict(val=dict(num_episodes=100))
checkpoint_config = dict(interval=20)
evaluation = dict(interval=25, save_best='PCK@0.2')
