# CapeFormer on SynthPose, as synthpose.py trains FMMP.
_base_ = [
    '../_base_/models/capeformer_small.py',
    '../_base_/datasets/synthpose_240_zero_padding.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]
