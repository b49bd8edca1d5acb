"""A test query of every method, episode by episode, against pair by pair.

    python benchmarks/methods.py [--threads 2] [--methods POMNet …]

Each method's own backbone, 256 x 256 pixels, one shot, 15 queries an episode, a category of 17
keypoints, random weights and images; medians of runs that take turns.

    pair by pair    as the methods' own code tests: the support passes with each of its queries,
                    all slots of keypoints are computed, padded ones too; contiguous, plain ops
    by episodes     as tools/test.py does: the support once, padded slots at most once; channels
                    last, compiled ops

Pair by pair is our code, too, and what it saves within a pair is saved in both columns.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fmmp  # noqa: F401, before torch: how its threads wait, as in the commands

# isort: split

import torch
from fmmp.models.episode import Episode  # not found? bash install.sh
from fmmp.models.ops import library
from mmcv import Config
from throughput import median_seconds

from fmmp.analysis.parts import random_episodes
from fmmp.apis import init_model
from fmmp.apis.data import data_settings
from fmmp.apis.model import place_for_speed
from fmmp.memory import keep_freed_memory

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
METHODS = {
    'matching features': 'matching/efficientnet_lite0_mp100_split1.py',
    'POMNet': 'pomnet/1shot/pomnet_r50_mp100_split1.py',
    'CapeFormer': 'capeformer/1shot/capeformer_r50_mp100_split1.py',
    'PoseAnything, tiny': 'poseanything/1shot/poseanything_tiny_mp100_split1.py',
    'PoseAnything, small': 'poseanything/1shot/poseanything_small_mp100_split1.py',
    'FMMP': 'fmmp/1shot/fmmp_r50_mp100_split1.py',
}
QUERIES, KEYPOINTS, PAIRS = 15, 17, 2  # pairs that are timed pair by pair: all take the same


def with_padding(episode: Episode, config: Config) -> Episode:
    """The episode of a category of 17 keypoints, padded as the config says."""
    count = torch.full_like(episode.num_keypoints, KEYPOINTS)
    if data_settings(config).padding_method.needs_links:  # on links, and visible
        return replace(episode, num_keypoints=count)
    real = torch.arange(episode.points.shape[2]) < KEYPOINTS
    points = episode.points * real[:, None]
    return replace(episode, points=points, visible=episode.visible & real, num_keypoints=count)


def test_runs(config: Config) -> dict[str, Callable]:
    """What is timed: pair by pair, and by episodes."""
    config.model.pretrained = None
    model = init_model(config)
    fast = place_for_speed(copy.deepcopy(model), config, 'cpu')
    every_slot = random_episodes(config, 'test', 1, QUERIES)
    episode = with_padding(every_slot, config)

    def pair_by_pair() -> None:
        with library.plain_pytorch():
            for query in range(1, 1 + PAIRS):
                names = ('imgs', 'points', 'visible', 'reference_index')
                values = {name: getattr(every_slot, name) for name in names}
                pair = {n: v[:, [0, query]] for n, v in values.items() if v is not None}
                model.forward_points(**pair, skeleton=every_slot.skeleton)

    return {'pair by pair': pair_by_pair, 'by episodes': lambda: fast.predict(episode)}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--threads', type=int, default=2, help='CPU threads [2]')
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=[*METHODS], metavar='NAME')
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    print('| a test query | pair by pair | by episodes | ratio |\n|---|---|---|---|')
    for name in arguments.methods:
        runs = test_runs(Config.fromfile(str(CONFIGS / METHODS[name])))
        with torch.no_grad():
            seconds = median_seconds(runs, repeats=3)
        plain, ours = seconds['pair by pair'] / PAIRS, seconds['by episodes'] / QUERIES
        print(f'| {name} | {1000 * plain:.0f} ms | {1000 * ours:.0f} ms | {plain / ours:.1f} |')


if __name__ == '__main__':
    main()
