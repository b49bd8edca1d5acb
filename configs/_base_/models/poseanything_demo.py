# A PoseAnything that trains in minutes on a laptop: capeformer_small.py with the graph, a map twice
# as fine and heatmaps half as wide. Its backbone is a ResNet, for want of a Swin V2 as small.
_base_ = ['capeformer_small.py']

model = dict(
    type='PoseAnything',
    keypoint_head=dict(sigma=1.0, upsampling=2, number_keypoints=False, graph='pre'),
)
