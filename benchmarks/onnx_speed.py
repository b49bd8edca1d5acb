"""onnxruntime, and OpenVINO where it is installed, against PyTorch, on networks exported first.

    python benchmarks/onnx_speed.py [CONFIG …] [--threads 2]

Medians of runs that take turns: encoding a support, and finding its keypoints in 15 queries.
PyTorch runs as in testing, with the compiled op, channels last and folded batch norms. FMMP's
weights are random, which does not matter to speed. ``ratio`` is PyTorch's time over another's:
above 1, the other is faster. ``points differ`` tells OpenVINO's largest difference from
onnxruntime's points, in sides of the crop. OpenVINO computes in float32 here, as the others do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from mmcv import Config  # not found? bash install.sh
from onnxruntime import InferenceSession, SessionOptions
from throughput import median_seconds

from fmmp.apis import init_model
from fmmp.apis.model import place_for_testing
from fmmp.apis.starter import starter_file
from fmmp.export.programs import as_episode, example, make_programs
from fmmp.export.to_onnx import to_onnx
from fmmp.memory import keep_freed_memory

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
DEFAULT = (
    starter_file(),
    CONFIGS / 'fmmp/1shot/fmmp_r50_mp100_split1.py',
    CONFIGS / 'fmmp/backbones/fmmp_efficientnet_lite0_mp100_split1.py',
)
QUERIES = 15


@torch.no_grad()
def measure(path: Path, threads: int, repeats: int) -> dict[str, float]:
    """Seconds of each network under each."""
    config = Config.fromfile(str(path))
    config.model.pretrained = None
    model = init_model(config)
    programs = make_programs(model)
    options = SessionOptions()
    options.intra_op_num_threads = threads
    networks = {
        'support': (programs.support, programs.support_inputs, programs.query_inputs[1:]),
        'query': (programs.query, programs.query_inputs, ['points']),
    }
    networks = {name: to_onnx(*network) for name, network in networks.items()}
    sessions = {k: InferenceSession(content, options) for k, content in networks.items()}
    model = place_for_testing(model, config, 'cpu')
    keypoints = programs.sizes['keypoints']
    supports, imgs = example(model, {'shots': 1, 'keypoints': keypoints, 'queries': QUERIES})
    episode = as_episode(supports, imgs)

    def encode() -> object:
        features = model.features_of(episode.supports.imgs, model.image_features)
        return model.encode_supports(features, episode.supports)

    state = encode()

    def find() -> object:
        return model.decode(state, model.features_of(imgs[None], model.query_features))

    feeds = {name: value.numpy() for name, value in supports.items()}
    exported = [imgs.numpy(), *sessions['support'].run(None, feeds)]
    query = dict(zip(programs.query_inputs, exported, strict=True))
    runs = {
        'support, PyTorch': encode,
        'support, onnxruntime': lambda: sessions['support'].run(None, feeds),
        'queries, PyTorch': find,
        'queries, onnxruntime': lambda: sessions['query'].run(None, query),
    }
    with suppress(ImportError):
        support_network = in_openvino(networks['support'], threads)
        query_network = in_openvino(networks['query'], threads)
        runs['support, OpenVINO'] = lambda: support_network(feeds)
        runs['queries, OpenVINO'] = lambda: query_network(query)
        apart = np.abs(query_network(query)[0] - sessions['query'].run(None, query)[0])
        print(f'points differ by {apart.max():.1e}')
    return median_seconds(runs, repeats)


def in_openvino(network: bytes, threads: int) -> Callable[[Mapping[str, np.ndarray]], list]:
    """What runs a network, ONNX, in OpenVINO: arrays by name to a list of arrays.

    Raises:
        ImportError: it is not installed.
    """
    from openvino import Core

    core = Core()
    settings = {'INFERENCE_NUM_THREADS': threads, 'INFERENCE_PRECISION_HINT': 'f32'}
    compiled = core.compile_model(core.read_model(network), 'CPU', settings)

    def run(feeds: Mapping[str, np.ndarray]) -> list:
        # Of numpy's two types of 64 bits OpenVINO knows one, and onnxruntime gives the other.
        return [*compiled({name: x.view(x.dtype.str) for name, x in feeds.items()}).values()]

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='*', type=Path, default=DEFAULT)
    parser.add_argument('--threads', type=int, default=2, help='CPU threads [2]')
    parser.add_argument('--repeats', type=int, default=7, help='[7]')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    for path in args.configs:
        seconds = measure(path, args.threads, args.repeats)
        print(path.stem)
        for name, value in seconds.items():
            print(f'    {name:22}{1000 * value:9.1f} ms')
        for name, value in seconds.items():
            part, runtime = name.split(', ')
            if runtime != 'PyTorch':
                print(f'    ratio, {name:23}{seconds[f"{part}, PyTorch"] / value:6.2f}')


if __name__ == '__main__':
    main()
