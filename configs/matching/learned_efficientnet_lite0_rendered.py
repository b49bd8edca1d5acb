# A projection of EfficientNet-Lite0's features, learned on rendered models: docs/starter.md. The data:
#   python tools/dataset/render.py data/rendered --fetch data/packages
_base_ = [
    '../_base_/models/matching_efficientnet_lite0.py',
    '../_base_/datasets/synthpose_rendered.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]

model = dict(type='LearnedMatching')

# Half of the images are turned by any angle, as things that are seen from above.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TopDownGetRandomScaleRotation', rot_factor=90, scale_factor=0.15, rot_prob=0.5),
    dict(type='CropInstance'),
    dict(type='ToNormalizedTensor', mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
]
# Four images of ten categories a step, each matched with the other three.
subset = dict(data_cfg=dict(padding='zero'))
data = dict(
    samples_per_gpu=10,
    workers_per_gpu=1,
    data_cfg=dict(image_size=256, num_references=0),
    train=dict(num_shots=3, num_episodes=1, pipeline=train_pipeline, **subset),
    val=subset,
    test=subset,
)
optimizer = dict(lr=2e-4)
total_epochs = 26
evaluation = dict(interval=26)
del subset, train_pipeline
