# Structural references along links between random keypoints, the same ones whenever a category comes.
_base_ = ['fmmp.py']

data = dict(data_cfg=dict(links='random'))
