#!/usr/bin/env python3
"""Train and test configs x splits x shots x seeds, and write the paper's tables of them.

What is finished is skipped and what was cut short goes on, so the same command again completes a
sweep. A run that fails is reported and stops no other.

    python tools/sweep.py configs/sweeps/ablations.py --dry-run
"""

import argparse
import shlex
import sys
from pathlib import Path

from fmmp.apis.distributed import LAUNCHERS  # not found? bash install.sh
from fmmp.cli import run
from fmmp.sweep import (
    Launcher,
    Run,
    complete_all,
    executor,
    read_sweep,
    tables,
    write_tables,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('sweep', help='sweep file, such as configs/sweeps/paper.py')
    parser.add_argument('--work-dir', default='work_dirs', help='for the sweep [work_dirs]')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='settings of every run'
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none', help='[none]')
    parser.add_argument('--gpus', type=int, default=1, help='GPUs of a run, with a launcher [1]')
    parser.add_argument('--partition', help="slurm's")
    parser.add_argument('--jobs', type=int, help='runs at once [1; with slurm, all]')
    parser.add_argument('--dry-run', action='store_true', help='list the commands')
    args = parser.parse_args()
    if args.launcher == 'slurm' and not args.partition:
        parser.error('--launcher slurm needs --partition')
    return args


def main() -> None:
    """Plan, run what is unfinished, write the tables."""
    args = parse_args()
    sweep = read_sweep(args.sweep, args.work_dir, args.cfg_options)
    launcher = Launcher(
        Path(__file__).resolve().parent, args.launcher, args.gpus, args.partition or ''
    )
    unfinished = [one for one in sweep.runs if not one.results.exists()]
    print(f'{len(sweep.runs)} runs, {len(unfinished)} of them to be done', flush=True)
    if args.dry_run:
        names = {'latest': 'latest.pth', 'best': 'best_mPCK_epoch_N.pth'}
        for one in unfinished:
            if one.trained_in is None:
                print(shlex.join(launcher.train(one)))
            folder = one.trained_in or one.work_dir
            print(shlex.join(launcher.test(one, folder / names[one.checkpoint])))
        return

    def report(one: Run, failure: str | None) -> None:
        print(f'{one.work_dir}: {failure or "finished"}', flush=True)

    jobs = args.jobs or (len(sweep.runs) if args.launcher == 'slurm' else 1)
    failures = complete_all(sweep.runs, launcher, jobs, executor(launcher), report)
    paths = write_tables(sweep, Path(args.work_dir, Path(args.sweep).stem))
    print('\n' + tables(sweep, 'markdown'))
    print(f'the tables are in {" and ".join(map(str, paths))}')
    if failures:
        sys.exit(f'{len(failures)} of {len(sweep.runs)} runs failed: the same command goes on')


if __name__ == '__main__':
    run(main)
