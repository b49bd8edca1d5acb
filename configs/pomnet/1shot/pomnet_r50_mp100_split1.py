_base_ = [
    '../../_base_/models/pomnet_r50.py',
    '../../_base_/datasets/mp100_zero_padding.py',
    '../../_base_/schedules/adam_200e.py',
    '../../_base_/runtime/default.py',
]
