"""What matching costs beside its backbone, and training on a frozen backbone beside the demo's.

    python benchmarks/matching.py [--threads 2]

Medians of runs that take turns, on random images: EfficientNet-Lite0 at 256 pixels, 16 queries of
17 keypoints, the support encoded beforehand; and training steps of the two demo configs, batch 16,
128 pixels, without loading data.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fmmp  # noqa: F401, before torch: how its threads wait, as in the commands

# isort: split

import torch
from fmmp.models.episode import Episode  # not found? bash install.sh
from mmcv import Config
from throughput import median_seconds

from fmmp.analysis.parts import random_episodes
from fmmp.apis import init_model
from fmmp.apis.model import place_for_speed
from fmmp.memory import keep_freed_memory

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
QUERIES, KEYPOINTS = 16, 17


def measure_matching() -> dict[str, float]:
    """Seconds an image: the backbone alone, and matching with it."""
    config = Config.fromfile(str(CONFIGS / 'matching/efficientnet_lite0_mp100_split1.py'))
    model = place_for_speed(init_model(config), config, 'cpu')
    visible = torch.ones(1, 1 + QUERIES, KEYPOINTS, dtype=torch.bool)
    points = torch.rand(1, 1 + QUERIES, KEYPOINTS, 2)
    imgs = torch.randn(1, 1 + QUERIES, 3, 256, 256)
    episode = Episode(imgs, points, visible, num_queries=QUERIES)
    with torch.no_grad():
        supports, _ = model.extract_features(episode)
        state = model.encode_supports(supports, episode.supports)
        queries = Episode(imgs[:, 1:], points[:, 1:], visible[:, 1:], num_queries=QUERIES)
        seconds = median_seconds(
            {
                'backbone': lambda: model.backbone(queries.imgs[0]),
                'matching': lambda: model.decode(state, model.extract_features(queries)[1]),
            },
            repeats=9,
        )
    return {name: value / QUERIES for name, value in seconds.items()}


def measure_training() -> dict[str, float]:
    """Seconds an image of a training step, of the demo's config and of the one that matches."""
    runs = {}
    for name in ('synthpose', 'synthpose_matched'):
        config = Config.fromfile(str(CONFIGS / f'demo/{name}.py'))
        model = place_for_speed(init_model(config), config, 'cpu').train()
        optimizer = torch.optim.Adam(p for p in model.parameters() if p.requires_grad)
        batch = vars(random_episodes(config, 'train', config.data.samples_per_gpu))

        def step(model=model, optimizer=optimizer, batch=batch) -> None:  # noqa: ANN001
            optimizer.zero_grad()
            model.train_step(batch)['loss'].backward()
            optimizer.step()

        runs[name] = step
    images = 2 * config.data.samples_per_gpu
    return {name: value / images for name, value in median_seconds(runs, repeats=7).items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--threads', type=int, default=2, help='CPU threads [2]')
    torch.set_num_threads(parser.parse_args().threads)
    torch.manual_seed(0)
    keep_freed_memory()
    matching, training = measure_matching(), measure_training()
    for title, seconds in (('a query', matching), ('an image of a training step', training)):
        print(title)
        for name, value in seconds.items():
            print(f'    {name:20}{1000 * value:8.1f} ms{1 / value:9.1f} / s')
    print(f'matching_over_backbone {matching["matching"] / matching["backbone"]:.2f}')
    print(f'training_ratio         {training["synthpose"] / training["synthpose_matched"]:.2f}')


if __name__ == '__main__':
    main()
