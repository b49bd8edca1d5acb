# FMMP by the number of categories that it trains on, in the benchmark's setting: docs/results.md.
#   python tools/sweep.py configs/sweeps/benchmark_categories.py
configs = {
    '20': 'configs/benchmark/categories_20.py',
    '20, zero padding': 'configs/benchmark/categories_20_zero_padding.py',
    '60': 'configs/benchmark/categories_60.py',
    '120': 'configs/benchmark/categories_120.py',
}
