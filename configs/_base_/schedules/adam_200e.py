# The release's schedule; the paper gives a learning rate of 1e-5.
optimizer = dict(
    type='Adam',
    lr=1e-4,
    # paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}),  # a slower backbone
)
auto_scale_lr = dict(enable=False, base_batch_size=16)  # --autoscale-lr enables it
optimizer_config = dict(
    # grad_clip=dict(max_norm=1.0),
    # cumulative_iters=2,  # batches whose mean gradient makes a step
)
lr_config = dict(
    policy='step',
    warmup='linear',
    warmup_iters=1000,
    warmup_ratio=0.001,
    step=[160, 180],
)
total_epochs = 200
