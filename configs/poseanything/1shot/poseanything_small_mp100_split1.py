# With a Swin V2-S backbone, pretrained without labels (SimMIM): put swinv2_small_1k_500k.pth of
# SimMIM's model zoo there.
_base_ = ['poseanything_tiny_mp100_split1.py']

model = dict(
    pretrained='pretrained/swinv2_small_1k_500k.pth',
    backbone=dict(model='swinv2_small_window16_256', drop_path_rate=0.3),
)
data = dict(samples_per_gpu=8)
