# Queries' keypoints start where their tokens match the supports', not at the image's centre.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(keypoint_head=dict(initial_points='matching'))
