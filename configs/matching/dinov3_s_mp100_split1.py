# DINOv3's ViT-S/16; its licence sets terms. Its weights, once, where there is a network:
#   python -m fmmp.models.backbones timm:vit_small_patch16_dinov3.lvd1689m
_base_ = ['dinov2_s_mp100_split1.py']

model = dict(
    backbone=dict(
        model='vit_small_patch16_dinov3.lvd1689m', weights='timm:vit_small_patch16_dinov3.lvd1689m'
    )
)
data = dict(data_cfg=dict(image_size=256))
