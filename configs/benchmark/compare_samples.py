# The samples of the query weigh by how alike they and the supports' keypoints are.
_base_ = ['fmmp.py']

model = dict(keypoint_head=dict(compare_samples=True))
