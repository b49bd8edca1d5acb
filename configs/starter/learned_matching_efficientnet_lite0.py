# What `starter` in place of a checkpoint stands for: see docs/starter.md. Its data set is that of the
# config beside the word, with room for as many keypoints as that says. The projection is what
# configs/matching/learned_efficientnet_lite0_rendered.py has learned.
_base_ = ['matching_efficientnet_lite0.py']

model = dict(projection='{{ fileDirname }}/learned_matching_efficientnet_lite0.safetensors')
