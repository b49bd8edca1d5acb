#!/usr/bin/env python3
"""Draw where each layer of FMMP looks and how it moves the points, for some pairs of the test set;
and tell over all of them how far each layer moves, how the error falls, and how far samples lie.

    python tools/analysis/layers.py CONFIG CHECKPOINT --pairs 0 900 --out FOLDER
"""

import argparse
import sys
from contextlib import closing
from pathlib import Path

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.models.episode import Episode  # not found? bash install.sh
from torch.utils.data import default_collate

from fmmp.analysis.steps import format_steps, measure
from fmmp.analysis.tables import FORMATS
from fmmp.apis.arguments import add_config_arguments, read_config, run
from fmmp.apis.loaders import build_episodes
from fmmp.apis.model import init_model
from fmmp.apis.step_pictures import save_steps
from fmmp.cli import Progress
from fmmp.errors import InputError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help="ours or a release's")
    parser.add_argument('--pairs', type=int, nargs='+', default=[], help='pairs to draw')
    parser.add_argument('--keypoints', type=int, default=3, help='of a pair to draw [3]')
    parser.add_argument('--out', default='.', help='folder for pair_NUMBER.jpg [.]')
    parser.add_argument('--no-table', action='store_true', help='draw the pairs, and that is all')
    parser.add_argument('--format', choices=FORMATS, default='markdown', help='[markdown]')
    return parser.parse_args()


def main() -> None:
    """Draw the pairs, walk the test set, print."""
    args = parse_args()
    if args.keypoints < 1:
        raise InputError(f'--keypoints is {args.keypoints}: give at least 1')
    config = read_config(args)
    with closing(build_episodes(config, 'test')) as loader:
        dataset = loader.dataset
        if wrong := [p for p in args.pairs if not 0 <= p < len(dataset.pairs)]:
            raise InputError(f'--pairs {wrong[0]}: the test set has {len(dataset.pairs)} pairs')
        model = init_model(config, args.checkpoint, for_testing=True)
        if not hasattr(model, 'layer_steps'):
            raise InputError(f'{type(model).__name__} has no layers that move points: name an FMMP')
        for pair in args.pairs:
            number, query = divmod(pair, dataset.num_queries)
            episode = Episode.of(default_collate([dataset[number]]))
            path = Path(args.out, f'pair_{pair}.jpg')
            save_steps(dataset, pair, model.layer_steps(episode, query), args.keypoints, path)
            print(path)
        if args.no_table:
            return
        progress, measured = Progress('episodes'), []
        for episode in map(Episode.of, loader):
            measured.append(measure(model.layer_steps(episode), episode))
            progress(len(measured) * loader.batch_size, len(dataset))
    print(format_steps(measured, args.format))


if __name__ == '__main__':
    run(main)
