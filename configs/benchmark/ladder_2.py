# The supports mined again in every layer, by ordinary deformable attention.
_base_ = ['ladder_3.py']

model = dict(keypoint_head=dict(structure='off'))
