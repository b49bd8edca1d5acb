# A start from a match, and samples that weigh by their looks instead of windows.
_base_ = ['raw_matching.py']

model = dict(keypoint_head=dict(compare_samples=True))
