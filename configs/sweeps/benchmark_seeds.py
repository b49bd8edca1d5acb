# Two more seeds of rows of benchmark_variants.py and benchmark_layers.py: docs/results.md.
#   python tools/sweep.py configs/sweeps/benchmark_seeds.py
configs = {
    'layers that compare': 'configs/benchmark/local_match.py',
    'start from a match': 'configs/benchmark/raw_matching.py',
    'samples that compare': 'configs/benchmark/compare_samples.py',
    'ResNet': 'configs/benchmark/resnet.py',
    'ResNet, layers that compare': 'configs/benchmark/resnet_local_match.py',
    'ResNet, matched': 'configs/benchmark/resnet_matched.py',
}
seeds = [1, 2]
