# PoseAnything with a Swin V2-T backbone, as its authors' code has it. They start from Microsoft's
# swinv2_tiny_patch4_window16_256.pth, which timm's weights are: `pretrained` takes either.
_base_ = ['capeformer_r50.py']

model = dict(
    type='PoseAnything',
    pretrained='timm:swinv2_tiny_window16_256.ms_in1k',
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model='swinv2_tiny_window16_256',
        last_norm=True,
        drop_path_rate=0.2,
    ),
    keypoint_head=dict(
        hidden_dims=768,
        sigma=1.0,
        upsampling=2,
        number_keypoints=False,
        graph='pre',
    ),
)
