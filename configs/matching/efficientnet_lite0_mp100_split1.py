# Nothing to train: python tools/test.py configs/matching/efficientnet_lite0_mp100_split1.py
_base_ = [
    '../_base_/models/matching_efficientnet_lite0.py',
    '../_base_/datasets/mp100.py',
    '../_base_/runtime/default.py',
]

# Neither padded keypoints nor structural references are used.
padding = dict(data_cfg=dict(padding='zero'))
data = dict(data_cfg=dict(num_references=0), train=padding, val=padding, test=padding)
del padding
