# SynthPose 2, as tools/dataset/render.py makes it, its categories split as its files are.
_base_ = ['mp100.py']
data_root = 'data/rendered'
source = dict(img_prefix=f'{data_root}/images/', valid_class_ids=None)

data = dict(
    data_cfg=dict(image_size=128, num_keypoints=40),
    train=dict(ann_file=f'{data_root}/train.json', num_episodes=2, **source),
    val=dict(ann_file=f'{data_root}/val.json', num_queries=5, **source),
    test=dict(ann_file=f'{data_root}/test.json', num_episodes=5, **source),
)

del data_root, source
