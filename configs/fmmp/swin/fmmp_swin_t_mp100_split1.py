# `pretrained` takes a local file: the official swin_tiny_patch4_window7_224.pth, or one with
# MMPose's names.
_base_ = ['../1shot/fmmp_r50_mp100_split1.py']

model = dict(
    pretrained='pretrained/swin_tiny_patch4_window7_224.pth',
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        drop_path_rate=0.2,
        out_indices=(1, 2, 3),
    ),
)
