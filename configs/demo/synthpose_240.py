# Longer, and on 222 categories, tested on the same twelve: 26 epochs of 56 steps. The data:
#   python tools/dataset/make_synthetic.py data/synthpose_240 --categories 240
_base_ = ['synthpose.py']

data_root = 'data/synthpose_240'
source = dict(ann_file=f'{data_root}/unified.json', img_prefix=f'{data_root}/images/')
data = dict(
    train=dict(valid_class_ids=[*range(1, 43), *range(61, 241)], num_episodes=4, **source),
    val=source,
    test=source,
)
total_epochs = 26
evaluation = dict(interval=10)
