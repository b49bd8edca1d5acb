#!/usr/bin/env python3
"""Fit a model's confidence: the probability that a keypoint's error is below 0.1 of the box's side.

    python tools/calibrate.py CONFIG CHECKPOINT              # on data.val, whose categories are new
    python tools/calibrate.py CONFIG starter --subset test --out mine.calibration.json
    python tools/calibrate.py CONFIG CHECKPOINT --check --subset test   # how reliable is it?

The points stay as they are. It is stored beside the checkpoint, and used wherever that is loaded.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from fmmp.apis import (  # not found? bash install.sh
    add_arguments,
    init_distributed,
    init_model,
    read_config,
    run,
)
from fmmp.apis.calibrate import Judged, held_out, judge, measure
from fmmp.apis.calibration import Calibration, calibration_file, digest
from fmmp.apis.starter import require_checkpoint
from fmmp.cli import Progress
from fmmp.errors import InputError, did_you_mean
from fmmp.files import require_writable

SEEDS = (0, 1, 2)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser, launched=False)
    parser.add_argument('checkpoint', nargs='?', help="ours, a method's authors', or `starter`")
    parser.add_argument(
        '--subset',
        choices=('train', 'val', 'test'),
        help="whose categories; ones that the model was not trained on [val; the starter's: test]",
    )
    parser.add_argument('--shots', type=int, nargs='+', default=[1, 2, 3, 5], help='[1 2 3 5]')
    parser.add_argument('--episodes', type=int, default=6, help='a category [6]')
    parser.add_argument('--queries', type=int, default=5, help='an episode [5]')
    parser.add_argument('--evidence', nargs='+', help='names of what is to be weighed [all]')
    parser.add_argument('--seed', type=int, default=0, help='of the episodes [0]')
    parser.add_argument('--out', help='file, which --check reads [beside the checkpoint]')
    parser.add_argument(
        '--check', action='store_true', help='measure the stored one on these data, write nothing'
    )
    args = parser.parse_args()
    if min(*args.shots, args.episodes, args.queries) < 1:
        parser.error('--shots, --episodes and --queries: give numbers of at least 1')
    if args.check and args.evidence:
        parser.error('--check: the stored one weighs what it was fitted to; leave --evidence out')
    return args


def table(report: dict[str, dict[str, float]]) -> str:
    """The measures, a row for all keypoints and one for those that the query shows."""
    columns = list(report['all'])
    lines = [f'{"":<8}' + ''.join(f'{column:>11}' for column in columns)]
    for name, row in report.items():
        numbers = [f'{row[c]:>11.0f}' if c == 'keypoints' else f'{row[c]:>11.3f}' for c in columns]
        lines.append(f'{name:<8}' + ''.join(numbers))
    return '\n'.join(lines)


def fit(judged: Judged, checkpoint: str | None, args: argparse.Namespace) -> Calibration:
    """The calibration, with notes on how it does on categories that are left out."""
    categories = len(np.unique(judged.category))
    notes = {'categories': categories, 'shots': args.shots}
    if categories == 1:
        print('one category only: none can be left out to measure on, so this is not measured')
    else:
        report = measure(judged, [held_out(judged, seed) for seed in SEEDS])
        print(f'fitted without the categories it is measured on, means of {len(SEEDS)} divisions:')
        print(table(report))
        rounded = {k: {n: round(v, 4) for n, v in row.items()} for k, row in report.items()}
        notes['held_out'] = rounded
    return Calibration.fit(
        judged.evidence, judged.right, checkpoint=digest(checkpoint), notes=notes
    )


def main() -> None:
    """Judge drawn episodes; fit and store, or check."""
    args = parse_args()
    config = read_config(args)
    require_checkpoint(config, args.checkpoint)
    out = args.out or calibration_file(config, args.checkpoint)
    if not args.check:
        if out is None:
            raise InputError('--out: name a file; the config has none beside which it could be')
        require_writable(out)
    device = init_distributed(gpu_id=args.gpu_id)
    model = init_model(config, args.checkpoint, device, for_testing=True)
    if args.check and args.out:
        model.calibration = Calibration.load(args.out)
    if args.check and model.calibration is None:
        raise InputError(f'{out}: there is no calibration: leave --check out to fit one')
    subset = args.subset or ('test' if args.checkpoint == 'starter' else 'val')
    judged = judge(
        model,
        config,
        subset,
        args.episodes,
        args.queries,
        args.shots,
        args.seed,
        Progress('episodes'),
    )
    for name in args.evidence or ():
        if name not in judged.evidence:
            raise InputError(f'--evidence: {name}: {did_you_mean(name, judged.evidence)}')
    if args.check:
        print(table(measure(judged, [model.calibration(judged.evidence)])))
        return
    if args.evidence:
        chosen = {name: judged.evidence[name] for name in args.evidence}
        judged = replace(judged, evidence=chosen)
    fit(judged, args.checkpoint, args).save(Path(out))
    print(f'the calibration is in {out}')


if __name__ == '__main__':
    run(main)
