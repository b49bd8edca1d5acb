# Every method, trained on SynthPose, on SynthPose 2's test categories, 1060 pairs: docs/results.md.
# After configs/sweeps/benchmark.py and docs/rendered.md's command:
#   python tools/sweep.py configs/sweeps/benchmark_rendered.py
configs = {
    'base': 'configs/benchmark/ladder_1.py',
    'POMNet': 'configs/benchmark/pomnet.py',
    'CapeFormer': 'configs/benchmark/capeformer.py',
    'PoseAnything': 'configs/benchmark/poseanything.py',
    'FMMP': 'configs/benchmark/fmmp.py',
    'FMMP, matched': 'configs/benchmark/fmmp_matched.py',
}
trained_by = {row: f'benchmark/{row}' for row in configs}
cfg_options = {
    'data.test.ann_file': 'data/rendered/test.json',
    'data.test.img_prefix': 'data/rendered/images/',
    'data.test.valid_class_ids': None,
    'data.test.num_queries': 5,
    'data.test.num_episodes': 4,
}
floors = True
