# ConvNeXt-T from ImageNet weights.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(
    pretrained='timm:convnext_tiny.fb_in1k',
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='convnext_tiny.fb_in1k',
        drop_path_rate=0.1,
    ),
)
