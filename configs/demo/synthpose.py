# FMMP on SynthPose in minutes on two cores.
_base_ = [
    '../_base_/models/fmmp_small.py',
    '../_base_/datasets/synthpose_240.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]
