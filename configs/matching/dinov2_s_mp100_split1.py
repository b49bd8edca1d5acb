# DINOv2's ViT-S/14 on 18 × 18 patches. Its weights, once, where there is a network:
#   python -m fmmp.models.backbones timm:vit_small_patch14_dinov2.lvd142m
_base_ = ['efficientnet_lite0_mp100_split1.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='vit_small_patch14_dinov2.lvd142m',
        weights='timm:vit_small_patch14_dinov2.lvd142m',
        frozen=True,
    ),
    # DINO's features hold their place in the image, and must not before they are matched. This
    # has been tried on random weights only.
    remove_position_bias=True,
)
data = dict(data_cfg=dict(image_size=252))
