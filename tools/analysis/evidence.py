#!/usr/bin/env python3
"""Keep a sweep's scores in a small file, and make a page's tables of such files.

python tools/analysis/evidence.py configs/sweeps/benchmark.py --out docs/results/benchmark.json
python tools/analysis/evidence.py --page docs/results.md
"""

import argparse
import sys

sys.path.pop(0)  # this folder, whose profile.py is not the standard library's
from fmmp.analysis.evidence import collect, write_evidence  # not found? bash install.sh
from fmmp.analysis.evidence_page import fill_page
from fmmp.cli import run
from fmmp.sweep import read_sweep


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'sweep', nargs='?', help='sweep file, whose runs are finished in part or all'
    )
    parser.add_argument('--work-dir', default='work_dirs', help='of the sweeps [work_dirs]')
    parser.add_argument('--out', help="file for the sweep's scores")
    parser.add_argument('--page', help='page whose tables and figures are to be made anew')
    args = parser.parse_args()
    if bool(args.sweep) != bool(args.out) or not (args.sweep or args.page):
        parser.error('name a sweep and --out, or a --page, or both')
    return args


def main() -> None:
    """Collect, then fill."""
    args = parse_args()
    if args.sweep:
        write_evidence(collect(read_sweep(args.sweep, args.work_dir)), args.out)
    if args.page:
        fill_page(args.page)


if __name__ == '__main__':
    run(main)
