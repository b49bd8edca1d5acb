# Whether trainings on few categories learn these by heart: the same tests on 20 categories that all of
# them have trained on. After configs/sweeps/benchmark.py and benchmark_categories.py:
#   python tools/sweep.py configs/sweeps/benchmark_seen.py
configs = {
    '+ structural references': 'configs/benchmark/ladder_3.py',
    'FMMP': 'configs/benchmark/fmmp.py',
    '20, zero padding': 'configs/benchmark/categories_20_zero_padding.py',
    '20': 'configs/benchmark/categories_20.py',
}
trained_by = {
    row: f'benchmark_categories/{row}' if row.startswith('20') else f'benchmark/{row}'
    for row in configs
}
cfg_options = {'data.test.valid_class_ids': [*range(1, 21)], 'data.test.num_episodes': 12}
floors = True
