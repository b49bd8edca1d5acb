# A skeleton that links each keypoint to every other.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(structure='full'))
