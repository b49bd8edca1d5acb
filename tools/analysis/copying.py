#!/usr/bin/env python3
"""Score copying the support on MP-100's splits, the floor of every method; needs no images.

The pairs are those that tools/test.py draws. Give MP-100's own files of validation or test
categories, or a unified file, whose five splits are scored one by one.

    python tools/analysis/copying.py mp100_split1_test.json mp100_split2_test.json
    python tools/analysis/copying.py data/mp100/annotations/unified.json --by category --format csv
"""

import argparse
import sys

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.analysis.copying import (  # not found? bash install.sh
    TABLES,
    format_floors,
    score_copying,
)
from fmmp.analysis.tables import FORMATS
from fmmp.cli import run


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', nargs='+', help='annotation files')
    parser.add_argument('--shots', type=int, nargs='+', default=[1, 5], help='[1 5]')
    parser.add_argument('--subset', choices=('val', 'test'), default='test', help='[test]')
    parser.add_argument('--by', choices=TABLES, nargs='+', default=TABLES, help='tables [all]')
    parser.add_argument('--format', choices=FORMATS, default='markdown', help='[markdown]')
    args = parser.parse_args()
    if min(args.shots) < 1:
        parser.error('--shots: give numbers of at least 1')
    return args


def main() -> None:
    """Score every file, and print a table for each way to group the categories."""
    args = parse_args()
    floors, left_out = [], []
    for ann_file in args.annotations:
        scored, without = score_copying(ann_file, args.shots, args.subset)
        floors += scored
        left_out += without
    print('\n\n'.join(format_floors(floors, by, args.format) for by in args.by))
    for line in left_out:
        print(line, file=sys.stderr)


if __name__ == '__main__':
    run(main)
