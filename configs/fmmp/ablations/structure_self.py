# Every structural reference is the keypoint itself.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(structure='self'))
