# A keypoint out of reach pulls no other towards the middle.
_base_ = ['fmmp_matched.py']

model = dict(keypoint_head=dict(loss_bound=0.1))
