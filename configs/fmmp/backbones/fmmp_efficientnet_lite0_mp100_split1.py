# EfficientNet-Lite0, frozen, with ImageNet weights out of the package that install.sh brings.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='tf_efficientnet_lite0',
        weights='package:efficientnet_lite0',
        frozen=True,
    ),
)
