# FMMP on SynthPose in minutes on two cores: 15 epochs of 42 steps.
_base_ = [
    '../_base_/models/fmmp_small.py',
    '../_base_/datasets/synthpose.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/default.py',
]

data = dict(
    samples_per_gpu=16,
    workers_per_gpu=1,
    train=dict(num_episodes=16),
    val=dict(num_queries=5),
)
total_epochs = 15
log_config = dict(interval=10)
checkpoint_config = dict(interval=1, max_keep_ckpts=1)
evaluation = dict(interval=5)
