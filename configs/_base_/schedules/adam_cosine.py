# A short training from random weights: a high learning rate that falls to zero along a cosine.
optimizer = dict(type='Adam', lr=1e-3)
auto_scale_lr = dict(enable=False, base_batch_size=16)  # --autoscale-lr enables it
optimizer_config = dict()  # adam_200e.py names its options
lr_config = dict(
    policy='CosineAnnealing',
    by_epoch=False,
    min_lr=0,
    warmup='linear',
    warmup_iters=50,
    warmup_ratio=0.02,
)
