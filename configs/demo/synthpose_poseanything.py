# PoseAnything on SynthPose, as synthpose.py trains FMMP.
_base_ = [
    '../_base_/models/poseanything_demo.py',
    '../_base_/datasets/synthpose_240_zero_padding.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]

data = dict(data_cfg=dict(num_links=40))
