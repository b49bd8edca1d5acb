checkpoint_config = dict(interval=10)
evaluation = dict(interval=10, save_best='mPCK', rule='greater')
log_config = dict(interval=50, hooks=[dict(type='TextLoggerHook')])
log_level = 'INFO'
load_from = None
resume_from = None
workflow = [('train', 1)]
custom_imports = dict(imports=['fmmp.apis'])
