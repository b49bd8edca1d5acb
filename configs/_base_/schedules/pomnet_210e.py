# POMNet's schedule. The official code takes it with 16 GPUs of 16 episodes each, 256 a step.
_base_ = ['adam_200e.py']

optimizer = dict(lr=5e-4)
lr_config = dict(warmup_iters=500, step=[170, 200])
total_epochs = 210
