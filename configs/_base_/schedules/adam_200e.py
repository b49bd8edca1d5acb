# The release's schedule; the paper gives a learning rate of 1e-5.
optimizer = dict(type='Adam', lr=1e-4)
optimizer_config = dict()  # dict(grad_clip=dict(max_norm=1.0)) clips
lr_config = dict(
    policy='step',
    warmup='linear',
    warmup_iters=1000,
    warmup_ratio=0.001,
    step=[160, 180],
)
total_epochs = 200
