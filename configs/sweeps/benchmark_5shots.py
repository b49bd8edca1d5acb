# FMMP, trained with one support, tested with five: docs/results.md. After configs/sweeps/benchmark.py:
#   python tools/sweep.py configs/sweeps/benchmark_5shots.py
configs = {
    'FMMP': 'configs/benchmark/fmmp.py',
    'FMMP, matched': 'configs/benchmark/fmmp_matched.py',
}
trained_by = {row: f'benchmark/{row}' for row in configs}
seeds = [0, 1, 2]
cfg_options = {'data.test.num_shots': 5}
floors = True
