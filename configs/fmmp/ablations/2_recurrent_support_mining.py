# Second row: the supports mined again in every layer, by ordinary deformable attention. 73.18.
_base_ = ['3_structural_references.py']

model = dict(keypoint_head=dict(structure='off'))
