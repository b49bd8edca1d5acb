# As synthpose_matched.py, on rendered models: docs/rendered.md. The data:
#   python tools/dataset/render.py data/rendered --fetch data/packages
_base_ = [
    '../_base_/models/fmmp_matched_small.py',
    '../_base_/datasets/synthpose_rendered.py',
    '../_base_/schedules/adam_cosine.py',
    '../_base_/runtime/demo.py',
]

data = dict(samples_per_gpu=16, workers_per_gpu=1)
total_epochs = 26
evaluation = dict(interval=26)
