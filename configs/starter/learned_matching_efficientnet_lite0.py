# Matching under what configs/matching/learned_efficientnet_lite0_rendered.py has learned, a projection alone;
# what the starter's features began from.
_base_ = ['matching_efficientnet_lite0.py']

model = dict(projection='{{ fileDirname }}/learned_matching_efficientnet_lite0.safetensors')
