# FMMP tested with keypoints padded by zeros: docs/results.md. After configs/sweeps/benchmark.py:
#   python tools/sweep.py configs/sweeps/benchmark_zeros_at_test.py
configs = {'FMMP, zeros at test': 'configs/benchmark/fmmp.py'}
trained_by = {'FMMP, zeros at test': 'benchmark/FMMP'}
seeds = [0, 1, 2]
cfg_options = {'data.test.data_cfg.padding': 'zero'}
