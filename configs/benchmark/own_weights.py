# In local matches each keypoint weighs its looks against its place.
_base_ = ['fmmp_matched.py']

model = dict(keypoint_head=dict(own_weights=True))
