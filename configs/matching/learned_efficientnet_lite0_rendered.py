# A projection of EfficientNet-Lite0's features, learned on rendered models: docs/starter.md. The data:
#   python tools/dataset/render.py data/rendered --fetch data/packages
_base_ = [
    '../_base_/models/matching_efficientnet_lite0.py',
    '../_base_/datasets/synthpose_rendered.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]

model = dict(type='LearnedMatching')

# Four images of ten categories a step, each matched with the other three.
subset = dict(data_cfg=dict(padding='zero'))
data = dict(
    samples_per_gpu=10,
    workers_per_gpu=1,
    data_cfg=dict(image_size=256, num_references=0),
    train=dict(num_shots=3, num_episodes=1, **subset),
    val=subset,
    test=subset,
)
optimizer = dict(lr=2e-4)
total_epochs = 26
evaluation = dict(interval=26)
del subset
