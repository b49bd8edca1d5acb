# SynthPose with 240 categories, 222 of them to train on; tested on its usual twelve. The data:
#   python tools/dataset/make_synthetic.py data/synthpose_240 --categories 240
_base_ = ['synthpose.py']
data_root = 'data/synthpose_240'
source = dict(ann_file=f'{data_root}/unified.json', img_prefix=f'{data_root}/images/')

data = dict(
    samples_per_gpu=16,
    workers_per_gpu=1,
    train=dict(valid_class_ids=[*range(1, 43), *range(61, 241)], num_episodes=4, **source),
    val=dict(num_queries=5, **source),
    test=source,
)

del data_root, source
