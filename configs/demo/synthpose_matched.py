# A frozen backbone with ImageNet's weights, queries that start from a match of its features, and
# layers that match around their points.
_base_ = [
    '../_base_/models/fmmp_matched_small.py',
    '../_base_/datasets/synthpose_240.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]

total_epochs = 13
evaluation = dict(interval=13)
