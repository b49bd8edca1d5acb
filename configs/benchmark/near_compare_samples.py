# Samples that start near and weigh by their looks.
_base_ = ['compare_samples.py']

model = dict(keypoint_head=dict(near_samples=True))
