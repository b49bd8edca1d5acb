# What each idea of the paper brings, and every method, in one setting: docs/results.md.
#   python tools/dataset/make_synthetic.py data/synthpose_240 --categories 240
#   python tools/sweep.py configs/sweeps/benchmark.py
configs = {
    'base': 'configs/benchmark/ladder_1.py',
    '+ recurrent support mining': 'configs/benchmark/ladder_2.py',
    '+ structural references': 'configs/benchmark/ladder_3.py',
    '+ mixup padding': 'configs/benchmark/ladder_4.py',
    'FMMP': 'configs/benchmark/fmmp.py',
    'CapeFormer': 'configs/benchmark/capeformer.py',
    'POMNet': 'configs/benchmark/pomnet.py',
    'PoseAnything': 'configs/benchmark/poseanything.py',
    'FMMP, matched': 'configs/benchmark/fmmp_matched.py',
}
seeds = [0, 1, 2]
floors = True
