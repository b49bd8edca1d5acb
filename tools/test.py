#!/usr/bin/env python3
"""Score a checkpoint on a config's test categories, beside what needs no training."""

import argparse
from pathlib import Path

from fmmp.apis import (  # not found? bash install.sh
    add_arguments,
    format_report,
    init_distributed,
    read_config,
    run,
    save_pictures,
    test,
)
from fmmp.apis.distributed import is_first_process
from fmmp.apis.starter import resolve
from fmmp.apis.test import COLUMNS
from fmmp.files import require_writable, write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help="ours, one of a method's authors', or `starter`; none for methods without training",
    )
    parser.add_argument('--out', help='JSON file for metrics, pairs and predictions')
    parser.add_argument('--work-dir', help='folder for results.json, unless --out is given')
    parser.add_argument('--show-dir', help='folder for pictures, three a category, and their sheet')
    parser.add_argument('--eval', nargs='+', help='metrics to show, such as PCK mPCK [all]')
    parser.add_argument(
        '--matching-floor', action='store_true', help='also score matching without training'
    )
    args = parser.parse_args()
    if args.eval:
        chosen = {'mPCK' if name == 'mAP' else name for name in args.eval}
        unknown = chosen - {*COLUMNS, 'PCK'}
        if unknown:
            parser.error(f'--eval: unknown {sorted(unknown)}; choose from PCK, mAP, {COLUMNS}')
        args.eval = tuple(c for c in COLUMNS if c in chosen or c.split('@')[0] in chosen)
    return args


def main() -> None:
    """Test, print the table, and write the results."""
    args = parse_args()
    out = args.out or (args.work_dir and Path(args.work_dir) / 'results.json')
    for path in filter(None, (out, args.show_dir and Path(args.show_dir) / 'contact_sheet.jpg')):
        require_writable(path)
    device = init_distributed(args.launcher, args.gpu_id)
    config, checkpoint = resolve(read_config(args), args.checkpoint)
    report = test(
        config,
        checkpoint,
        device,
        matching_floor=args.matching_floor,
    )
    if not is_first_process():
        return
    print('\n' + format_report(report, args.eval or COLUMNS))
    if out:
        write_json(report, out)
        print(f'\nmetrics, pairs and predictions are in {out}')
    if args.show_dir:
        sheet = save_pictures(config, report, args.show_dir)
        print(f'pictures are in {args.show_dir}, all of them on {sheet}')


if __name__ == '__main__':
    run(main)
