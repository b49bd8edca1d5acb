# The small FMMP on EfficientNet-Lite0, frozen, with ImageNet's weights out of the package that
# install.sh brings.
_base_ = ['fmmp_small.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
    ),
    neck=dict(unit_scale=True),
)
