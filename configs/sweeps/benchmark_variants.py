# Variants of FMMP in the benchmark's setting, one seed each: docs/results.md.
#   python tools/sweep.py configs/sweeps/benchmark_variants.py
configs = {
    'heads': 'configs/benchmark/attention_heads.py',
    'self': 'configs/benchmark/structure_self.py',
    'full': 'configs/benchmark/structure_full.py',
    '1 layer': 'configs/benchmark/layers_1.py',
    '2 layers': 'configs/benchmark/layers_2.py',
}
