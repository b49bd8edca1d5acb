checkpoint_config = dict(interval=10)
evaluation = dict(interval=10, save_best='mPCK')
log_config = dict(
    interval=50,
    hooks=[
        dict(type='TextLogger'),  # text and JSON lines
        # dict(type='TensorboardLoggerHook'),  # pip install tensorboard
        # dict(type='WandbLoggerHook', init_kwargs=dict(project='fmmp')),  # pip install wandb
    ],
)
log_level = 'INFO'
load_from = None
resume_from = None
precision = 'float32'  # or 'bfloat16', or 'float16' with loss scaling
non_finite_loss = dict(action='stop')  # dict(action='skip', max_in_a_row=10): skip a few batches
workflow = [('train', 1)]
custom_imports = dict(imports=['fmmp.apis'])
