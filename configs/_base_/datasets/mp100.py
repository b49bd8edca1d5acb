# MP-100 in one annotation file with 0-based skeletons for all categories. The default is split 1;
# another one: data = dict(train=dict(valid_class_ids=dict(split=2)), val=…, test=…).
data_root = 'data/mp100'
ann_file = f'{data_root}/annotations/unified.json'
img_prefix = f'{data_root}/images/'

# MMPose's ToTensor and NormalizeTensor in one, in half the time.
to_tensor = dict(type='ToNormalizedTensor', mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TopDownGetRandomScaleRotation', rot_factor=15, scale_factor=0.15, rot_prob=0.6),
    dict(type='CropInstance'),
    to_tensor,
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='CropInstance'), to_tensor]

data = dict(
    # of all three subsets, each of which may override them
    num_shots=1,
    data_cfg=dict(image_size=256, num_keypoints=70, num_references=16),
    samples_per_gpu=16,
    # a test episode has 16 images or more
    val_dataloader=dict(samples_per_gpu=1),
    test_dataloader=dict(samples_per_gpu=1),
    train=dict(
        type='TrainEpisodes',
        ann_file=ann_file,
        img_prefix=img_prefix,
        valid_class_ids=dict(split=1, subset='train'),
        data_cfg=dict(padding='mixup', mixup_alpha=1.0),
        pipeline=train_pipeline,
    ),
    val=dict(
        type='TestEpisodes',
        ann_file=ann_file,
        img_prefix=img_prefix,
        valid_class_ids=dict(split=1, subset='val'),
        num_queries=15,
        num_episodes=5,
        data_cfg=dict(padding='uniform'),
        pipeline=test_pipeline,
    ),
    test=dict(
        type='TestEpisodes',
        ann_file=ann_file,
        img_prefix=img_prefix,
        valid_class_ids=dict(split=1, subset='test'),
        num_queries=15,
        num_episodes=200,
        data_cfg=dict(padding='uniform'),
        pipeline=test_pipeline,
    ),
)

# Helper variables are no settings.
del data_root, ann_file, img_prefix, to_tensor, train_pipeline, test_pipeline
