# Every structural reference is the keypoint itself.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(structure='self'))
