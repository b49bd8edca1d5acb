#!/usr/bin/env python3
"""Plot what trainings have logged: losses and validation scores over epochs, all in one figure.

python tools/analysis/plot_curves.py work_dirs/one work_dirs/other --out curves.png
"""

import argparse
import sys
from pathlib import Path

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.analysis.curves import plot_curves, render  # not found? bash install.sh
from fmmp.analysis.logs import read_run
from fmmp.cli import run
from fmmp.files import atomic_path, require_writable

SUFFIXES = ('.png', '.pdf', '.svg')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', help='work directories, or .log.json files')
    parser.add_argument('--out', default='curves.png', help='.png, .pdf or .svg [curves.png]')
    parser.add_argument(
        '--keys',
        nargs='+',
        help='a panel each, as the logs name them [the losses, mPCK and PCK@0.2 that all have]',
    )
    parser.add_argument('--legend', nargs='+', help="the runs' names [their folders']")
    args = parser.parse_args()
    if args.legend and len(args.legend) != len(args.runs):
        parser.error(f'--legend: {len(args.legend)} names for {len(args.runs)} runs')
    if Path(args.out).suffix not in SUFFIXES:
        parser.error(f'--out {args.out}: name a {", ".join(SUFFIXES)} file')
    return args


def main() -> None:
    """Read, draw, write."""
    args = parse_args()
    legend = args.legend or [None] * len(args.runs)
    require_writable(args.out)
    runs = [read_run(path, name) for path, name in zip(args.runs, legend, strict=True)]
    figure = plot_curves(runs, args.keys)
    content = render(figure, Path(args.out).suffix[1:])
    with atomic_path(args.out) as scratch:
        scratch.write_bytes(content)
    print(f'{args.out}: {len(figure.axes)} panels of {len(runs)} runs')


if __name__ == '__main__':
    run(main)
