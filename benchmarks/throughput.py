"""Test queries and training steps a second, against the plain way of computing the same.

ResNet-50, 256 x 256 pixels, 70 keypoints, one shot.

    plain   the ops in plain PyTorch; testing takes pair by pair, the support through the backbone
            with each of its queries
    FMMP    the compiled ops; testing takes an episode's support once and its 15 queries together;
            as training and testing do on the CPU, with channels last, a fused step of Adam, and for
            testing with batch norms folded into the backbone's convolutions

Both run in turn on the same random episodes, which are decoded beforehand, and medians are
compared. For both the process keeps the memory that it frees, as tools/train.py and tools/test.py
do. Then where FMMP's time goes, and what loading data costs.

    python benchmarks/throughput.py [--threads 2] [--json]

``--json`` prints one object as the last line. ``test_ratio`` and ``train_ratio`` are plain's time
over FMMP's (higher is better); ``query_over_backbone`` is the time of a test query over that of one
image through the backbone alone, in the same batch; ``data_over_decode`` is the time of loading a
training sample over that of decoding, warping and normalising its two JPEGs by OpenCV and
torchvision alone, of 1280 x 960 pixels, as MP-100 has on the mean (both: lower is better).
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fmmp  # noqa: F401, before torch: how its threads wait, as in the commands

# isort: split

import cv2
import numpy as np
import torch
from fmmp.datasets.crop import center_and_scale, crop_transform  # not found? bash install.sh
from fmmp.models.ops import library
from mmcv import Config
from mmpose.models import build_posenet
from torch import nn
from torchvision.transforms import functional as F

from fmmp.analysis.parts import random_episodes
from fmmp.apis.data import build_dataset
from fmmp.apis.model import place_for_speed, place_for_testing
from fmmp.apis.optimizer import build_optimizer
from fmmp.memory import keep_freed_memory

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / 'configs/fmmp/1shot/fmmp_r50_mp100_split1.py'
QUERIES, SIZE, BATCH = 15, 256, 4
PHOTOGRAPH, OBJECT = (1280, 960), (240, 160, 800, 640)  # width, height; x, y, width, height


def median_seconds(runs: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Median time of each run; they take turns, after one that does not count."""
    times = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_testing(config: Config, model: nn.Module, fast: nn.Module) -> dict[str, float]:
    """Seconds a query: plain, FMMP, its head, and an image through the contiguous backbone."""
    episode = random_episodes(config, 'test', 1, QUERIES)
    supports, queries = fast.extract_features(episode)

    def plain() -> None:
        with library.plain_pytorch():
            for query in range(1, 4):  # 3 of the 15, which all take the same
                names = ('imgs', 'points', 'visible', 'reference_index')
                model.forward_points(**{n: getattr(episode, n)[:, [0, query]] for n in names})

    seconds = median_seconds(
        {
            'plain': plain,
            'FMMP': lambda: fast.predict(episode),
            'head': lambda: fast.decode(fast.encode_supports(supports, episode.supports), queries),
            'backbone': lambda: model.backbone(episode.imgs[0]),
        },
        repeats=5,
    )
    images = {'plain': 3, 'FMMP': QUERIES, 'backbone': 1 + QUERIES, 'head': QUERIES}
    return {name: value / images[name] for name, value in seconds.items()}


def measure_training(config: Config, model: nn.Module, fast: nn.Module) -> dict[str, float]:
    """Seconds a step of forward, backward and Adam: plain, FMMP, and its backbone's part."""
    episodes = vars(random_episodes(config, 'train', BATCH))

    def stepper(model: nn.Module, optimizer: torch.optim.Optimizer) -> Callable:
        def step() -> None:
            optimizer.zero_grad()
            model.train_step(episodes)['loss'].backward()
            optimizer.step()

        return step

    plain_step = stepper(model, torch.optim.Adam(model.parameters()))
    step = stepper(fast, build_optimizer(fast, config, processes=1))

    def plain() -> None:
        with library.plain_pytorch():
            plain_step()

    def backbone() -> None:
        maps = fast.backbone(episodes['imgs'].flatten(0, 1))
        sum(level.sum() for level in maps).backward()

    return median_seconds({'plain': plain, 'FMMP': step, 'backbone': backbone}, repeats=4)


def measure_options(config: Config, model: nn.Module, fast: nn.Module) -> dict[str, float]:
    """Seconds a query, by memory format and precision."""
    episode = random_episodes(config, 'test', 1, QUERIES)

    def predict(model: nn.Module, bfloat16: bool = False) -> None:
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            model.predict(episode)

    runs = {
        'contiguous': lambda: predict(model),
        'channels last, folded': lambda: predict(fast),
        'contiguous, bfloat16': lambda: predict(model, bfloat16=True),
        'channels last, folded, bfloat16': lambda: predict(fast, bfloat16=True),
    }
    return {name: value / QUERIES for name, value in median_seconds(runs, repeats=4).items()}


def write_photographs(root: Path, count: int = 8) -> None:
    """A category of JPEGs of about a photograph's detail, with 17 keypoints."""
    random = np.random.default_rng(0)
    width, height = PHOTOGRAPH
    (root / 'images').mkdir()
    images, annotations = [], []
    for number in range(count):
        detail = [random.integers(0, 256, (height // s, width // s, 3)) for s in (4, 16, 64)]
        layers = [cv2.resize(layer.astype(np.float32), PHOTOGRAPH) for layer in detail]
        file_name = f'{number}.jpg'
        cv2.imwrite(str(root / 'images' / file_name), np.mean(layers, axis=0).astype(np.uint8))
        images.append({'id': number, 'file_name': file_name, 'width': width, 'height': height})
        x, y, w, h = OBJECT
        points = random.uniform((x, y), (x + w, y + h), (17, 2))
        annotations.append(
            {
                'id': number,
                'image_id': number,
                'category_id': 1,
                'bbox': OBJECT,
                'area': w * h,
                'iscrowd': 0,
                'num_keypoints': 17,
                'keypoints': [float(v) for x, y in points for v in (x, y, 2)],
            }
        )
    skeleton = [[joint, joint + 1] for joint in range(16)]
    categories = [{'id': 1, 'name': 'thing', 'skeleton': skeleton}]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    (root / 'unified.json').write_text(json.dumps(content))


def measure_data(config: Config) -> dict[str, float]:
    """Seconds of a training sample, and of decoding, warping and normalising its two images.

    The latter by OpenCV and torchvision.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_photographs(root)
        files = {'ann_file': str(root / 'unified.json'), 'img_prefix': str(root / 'images')}
        config.data.train.update(**files, valid_class_ids=None)
        dataset = build_dataset(config, 'train')
        normalize = config.data.train.pipeline[-1]
        paths = [str(root / 'images' / f'{number}.jpg') for number in range(8)]
        transform = crop_transform(*center_and_scale(OBJECT), SIZE)

        def load() -> None:
            for index in range(8):
                dataset[index]

        def decode() -> None:
            for path in 2 * paths:  # as many as the 8 samples read
                image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
                image = cv2.warpAffine(image, transform, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
                F.normalize(F.to_tensor(image), normalize['mean'], normalize['std'])

        seconds = median_seconds({'sample': load, 'decode': decode}, repeats=60)
    return {name: value / 8 for name, value in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--threads', type=int, default=2, help='CPU threads [2]; loading takes 1')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    arguments = parser.parse_args()
    if 'cpu' not in library.DEVICES:
        sys.exit(f'nothing to compare, the ops are not compiled for cpu: {library.REASON}')
    torch.manual_seed(0)
    cv2.setNumThreads(1)
    config = Config.fromfile(str(CONFIG))
    config.model.pretrained = None
    keep_freed_memory()
    torch.set_num_threads(1)  # as in a loader's worker
    data = measure_data(config)
    torch.set_num_threads(arguments.threads)
    model = build_posenet(config.model).eval()
    fast = place_for_testing(copy.deepcopy(model), config, 'cpu')
    with torch.no_grad():
        test = measure_testing(config, model, fast)
        options = measure_options(config, model, fast)
    fast = place_for_speed(copy.deepcopy(model), config, 'cpu')
    train = measure_training(config, model.train(), fast.train())

    def show(title: str, seconds: dict[str, float]) -> None:
        print(title)
        for name, value in seconds.items():
            print(f'    {name:33}{1000 * value:9.1f} ms{1 / value:9.2f} / s')

    show('a test query (backbone: an image, contiguous)', test)
    show(f'a training step of {BATCH} episodes', train)
    show('a training sample, two images', data)
    show('a test query, by option', options)
    ratios = {
        'test_ratio': test['plain'] / test['FMMP'],
        'train_ratio': train['plain'] / train['FMMP'],
        'query_over_backbone': test['FMMP'] / test['backbone'],
        'data_over_decode': data['sample'] / data['decode'],
    }
    for name, ratio in ratios.items():
        print(f'{name:22}{ratio:7.2f}')
    if arguments.json:
        print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))


if __name__ == '__main__':
    main()
