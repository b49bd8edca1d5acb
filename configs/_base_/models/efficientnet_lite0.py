# EfficientNet-Lite0, frozen, with ImageNet weights out of the package that install.sh brings.
model = dict(
    backbone=dict(
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
    ),
)
