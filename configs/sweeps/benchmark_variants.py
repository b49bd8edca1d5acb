# Variants of FMMP in the benchmark's setting, one seed each: docs/results.md.
#   python tools/sweep.py configs/sweeps/benchmark_variants.py
configs = {
    'start from a match': 'configs/benchmark/raw_matching.py',
    'layers that compare': 'configs/benchmark/local_match.py',
    'both, crops of 192 pixels': 'configs/benchmark/fmmp_matched_192.py',
    'both, crops of 256 pixels': 'configs/benchmark/fmmp_matched_256.py',
    'attention: heads': 'configs/benchmark/attention_heads.py',
    'structure: self': 'configs/benchmark/structure_self.py',
    'structure: full': 'configs/benchmark/structure_full.py',
    'structure: random links': 'configs/benchmark/random_links.py',
    '1 layer': 'configs/benchmark/layers_1.py',
    '2 layers': 'configs/benchmark/layers_2.py',
    'maps as they are': 'configs/benchmark/scale_as_it_is.py',
}
