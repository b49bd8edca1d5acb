# FMMP on SynthPose in minutes on two cores: 17 epochs of 56 steps. It is trained on 222 categories
# and tested on SynthPose's usual twelve. The data:
#   python tools/dataset/make_synthetic.py data/synthpose_240 --categories 240
_base_ = [
    '../_base_/models/fmmp_small.py',
    '../_base_/datasets/synthpose.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/default.py',
]

data_root = 'data/synthpose_240'
source = dict(ann_file=f'{data_root}/unified.json', img_prefix=f'{data_root}/images/')
data = dict(
    samples_per_gpu=16,
    workers_per_gpu=1,
    train=dict(valid_class_ids=[*range(1, 43), *range(61, 241)], num_episodes=4, **source),
    val=dict(num_queries=5, **source),
    test=source,
)
total_epochs = 17
log_config = dict(interval=10)
checkpoint_config = dict(interval=1, max_keep_ckpts=1)
evaluation = dict(interval=6)

del data_root, source
