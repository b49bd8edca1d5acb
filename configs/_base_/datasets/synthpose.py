# SynthPose, as tools/dataset/make_synthetic.py makes it by default.
_base_ = ['mp100.py']
data_root = 'data/synthpose'
source = dict(ann_file=f'{data_root}/unified.json', img_prefix=f'{data_root}/images/')

data = dict(
    data_cfg=dict(image_size=128, num_keypoints=40),
    train=dict(valid_class_ids=list(range(1, 43)), **source),
    val=dict(valid_class_ids=list(range(43, 49)), **source),
    test=dict(valid_class_ids=list(range(49, 61)), num_episodes=5, **source),
)

del data_root, source
