# A short training from random weights: a high learning rate that falls to zero along a cosine.
optimizer = dict(type='Adam', lr=1e-3)
optimizer_config = dict(grad_clip=None)
lr_config = dict(
    policy='CosineAnnealing',
    by_epoch=False,
    min_lr=0,
    warmup='linear',
    warmup_iters=50,
    warmup_ratio=0.02,
)
