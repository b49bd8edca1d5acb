_base_ = [
    '../../_base_/models/fmmp_r50.py',
    '../../_base_/datasets/mp100.py',
    '../../_base_/schedules/adam_200e.py',
    '../../_base_/runtime/default.py',
]
