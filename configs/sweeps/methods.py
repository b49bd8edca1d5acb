# Every method on SynthPose at the demo's budget, equal steps of equal batches; beside them what needs
# no training. The data: python tools/dataset/make_synthetic.py data/synthpose_240 --categories 240
#   python tools/sweep.py configs/sweeps/methods.py
configs = {
    'POMNet': 'configs/demo/synthpose_pomnet.py',
    'CapeFormer': 'configs/demo/synthpose_capeformer.py',
    'PoseAnything': 'configs/demo/synthpose_poseanything.py',
    'FMMP': 'configs/demo/synthpose.py',
}
seeds = [0, 1, 2]
metric = 'PCK@0.2'
floors = True
