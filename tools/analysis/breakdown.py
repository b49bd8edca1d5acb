#!/usr/bin/env python3
"""Tell where a tested model fails: its keypoints by occlusion, by how far the nearest visible
reference is, and by how many keypoints their category has.

    python tools/analysis/breakdown.py CONFIG results.json
    python tools/analysis/breakdown.py CONFIG results.json --worst worst.jpg
"""

import argparse
import json
import sys

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.analysis.breakdown import (  # not found? bash install.sh
    format_breakdown,
    keypoints_of,
)
from fmmp.analysis.tables import FORMATS
from fmmp.apis.arguments import add_config_arguments, read_config, run
from fmmp.apis.data import build_dataset
from fmmp.apis.pictures import save_worst
from fmmp.errors import InputError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('results', help='file of tools/test.py --out')
    parser.add_argument('--format', choices=FORMATS, default='markdown', help='[markdown]')
    parser.add_argument('--worst', metavar='FILE', help="picture of each category's worst pair")
    return parser.parse_args()


def main() -> None:
    """Read, group, print, draw."""
    args = parse_args()
    dataset = build_dataset(read_config(args), 'test')
    with open(args.results) as file:
        report = json.load(file)
    if missing := {'pairs', 'predictions', 'pair_scores'} - report.keys():
        raise InputError(f'{args.results}: lacks {", ".join(sorted(missing))}: tools/test.py --out')
    if report['pairs'] != dataset.pairs:
        raise InputError(
            f'{args.results}: tested on other pairs than the config names: give the same '
            '--cfg-options data.test… as the test had'
        )
    keypoints = keypoints_of(
        report['pairs'], report['predictions'], dataset.instances, dataset.categories
    )
    print(format_breakdown(keypoints, args.format))
    if args.worst:
        save_worst(dataset, report, args.worst)


if __name__ == '__main__':
    run(main)
