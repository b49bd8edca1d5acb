# What may make FMMP's layers earn their keep, in the benchmark's setting: docs/variations.md.
#   python tools/sweep.py configs/sweeps/benchmark_layers.py
configs = {
    'samples that start near': 'configs/benchmark/near_samples.py',
    'samples that compare': 'configs/benchmark/compare_samples.py',
    'samples near that compare': 'configs/benchmark/near_compare_samples.py',
    'own weights, matched': 'configs/benchmark/own_weights.py',
    'samples that compare, matched': 'configs/benchmark/matched_compare_samples.py',
    'gradient between layers': 'configs/benchmark/gradient_between_layers.py',
    'head three times as fast': 'configs/benchmark/head_faster.py',
    'head at a third': 'configs/benchmark/head_slower.py',
    'ResNet': 'configs/benchmark/resnet.py',
    'ResNet, layers that compare': 'configs/benchmark/resnet_local_match.py',
    'ResNet, matched': 'configs/benchmark/resnet_matched.py',
    'gradient between layers, matched': 'configs/benchmark/matched_gradient_between_layers.py',
    'bounded loss, matched': 'configs/benchmark/matched_bounded_loss.py',
}
