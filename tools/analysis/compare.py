#!/usr/bin/env python3
"""Compare results of tools/test.py on the same pairs, category by category.

The first file is the baseline. Every difference comes with a 95 % interval from a bootstrap over
episodes.

    python tools/analysis/compare.py base/results.json mine/results.json --metric PCK@0.2
"""

import argparse
import sys

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.analysis.comparison import (  # not found? bash install.sh
    compare,
    format_comparison,
    read_results,
)
from fmmp.analysis.tables import FORMATS
from fmmp.cli import run


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('results', nargs='+', help='files of tools/test.py --out, two or more')
    parser.add_argument('--legend', nargs='+', help="the files' names [their folders']")
    parser.add_argument('--metric', default='mPCK', help='such as PCK@0.2, NME, AUC or EPE [mPCK]')
    parser.add_argument('--format', choices=FORMATS, default='markdown', help='[markdown]')
    parser.add_argument('--samples', type=int, default=10_000, help='bootstrap samples [10000]')
    parser.add_argument('--seed', type=int, default=0, help='of the bootstrap [0]')
    args = parser.parse_args()
    if len(args.results) < 2:
        parser.error('name two files or more')
    if args.legend and len(args.legend) != len(args.results):
        parser.error(f'--legend: {len(args.legend)} names for {len(args.results)} files')
    return args


def main() -> None:
    """Read, compare, print."""
    args = parse_args()
    legend = args.legend or [None] * len(args.results)
    results = [read_results(path, name) for path, name in zip(args.results, legend, strict=True)]
    rows = compare(results, args.metric, args.samples, args.seed)
    print(format_comparison(rows, [one.name for one in results], args.metric, args.format))


if __name__ == '__main__':
    run(main)
