# Swin Transformer V2-T from ImageNet weights.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(
    pretrained='timm:swinv2_tiny_window8_256.ms_in1k',
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='swinv2_tiny_window8_256.ms_in1k',
        drop_path_rate=0.2,
    ),
)
