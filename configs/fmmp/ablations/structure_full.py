# A skeleton that links each keypoint to every other.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(structure='full'))
