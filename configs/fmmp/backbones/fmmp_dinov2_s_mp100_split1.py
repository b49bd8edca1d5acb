# DINOv2's ViT-S/14, frozen, on 18 × 18 patches.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='vit_small_patch14_dinov2.lvd142m',
        weights='timm:vit_small_patch14_dinov2.lvd142m',
        frozen=True,
    ),
)
data = dict(data_cfg=dict(image_size=252))
