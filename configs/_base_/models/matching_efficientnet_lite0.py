# Matching of EfficientNet-Lite0's features; nothing to train.
_base_ = ['efficientnet_lite0.py']

model = dict(type='FeatureMatching')
