"""onnxruntime against PyTorch, on networks that are exported first.

    python benchmarks/onnx_speed.py [CONFIG …] [--threads 2]

Medians of runs that take turns: encoding a support, and finding its keypoints in 15 queries.
PyTorch runs as in testing, with the compiled op and channels last. FMMP's weights are random, which
does not matter to speed. ``ratio`` is PyTorch's time over onnxruntime's: above 1, onnxruntime is
faster.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmcv import Config  # not found? bash install.sh
from onnxruntime import InferenceSession, SessionOptions
from throughput import median_seconds

from fmmp.apis import init_model
from fmmp.apis.model import place_for_speed
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
def measure(path: Path, threads: int) -> dict[str, float]:
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
    sessions = {k: InferenceSession(to_onnx(*v), options) for k, v in networks.items()}
    model = place_for_speed(model, config, 'cpu')
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
    return median_seconds(
        {
            'support, PyTorch': encode,
            'support, onnxruntime': lambda: sessions['support'].run(None, feeds),
            'queries, PyTorch': find,
            'queries, onnxruntime': lambda: sessions['query'].run(None, query),
        },
        repeats=7,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='*', type=Path, default=DEFAULT)
    parser.add_argument('--threads', type=int, default=2, help='CPU threads [2]')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    for path in args.configs:
        seconds = measure(path, args.threads)
        print(path.stem)
        for name, value in seconds.items():
            print(f'    {name:22}{1000 * value:9.1f} ms')
        for part in ('support', 'queries'):
            ratio = seconds[f'{part}, PyTorch'] / seconds[f'{part}, onnxruntime']
            print(f'    ratio, {part:15}{ratio:9.2f}')


if __name__ == '__main__':
    main()
