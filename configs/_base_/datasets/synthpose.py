# SynthPose, as tools/dataset/make_synthetic.py makes it by default.
_base_ = ['mp100.py']
data_root = 'data/synthpose'
source = dict(ann_file=f'{data_root}/unified.json', img_prefix=f'{data_root}/images/')
data_cfg = dict(image_size=128, num_keypoints=40)

data = dict(
    train=dict(valid_class_ids=list(range(1, 43)), data_cfg=data_cfg, **source),
    val=dict(valid_class_ids=list(range(43, 49)), data_cfg=data_cfg, **source),
    test=dict(valid_class_ids=list(range(49, 61)), data_cfg=data_cfg, num_episodes=5, **source),
)
