# Eight samples a level in place of four.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(num_points=8))
