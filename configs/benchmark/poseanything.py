# PoseAnything on the benchmark's frozen backbone.
_base_ = ['capeformer.py']

model = dict(
    type='PoseAnything',
    keypoint_head=dict(sigma=1.0, upsampling=2, number_keypoints=False, graph='pre'),
)
data = dict(data_cfg=dict(num_links=40))
