#!/usr/bin/env python3
"""Measure where the time of a config's training step and test episode goes.

Episodes are noise of the config's sizes, unless --data asks for the config's data sets: then a
table says where the time of loading a sample goes, in one process, and what is waited for data is
what the loader's workers do not hide. Weights are random.

    python tools/analysis/profile.py CONFIG --cfg-options data.samples_per_gpu=4
"""

import argparse
import sys
from contextlib import closing

sys.path.pop(0)  # this folder: cProfile would import this file for the standard library's
from fmmp.analysis.loading import loading_times  # not found? bash install.sh
from fmmp.analysis.profiling import (
    TestEpisode,
    TrainingStep,
    describe,
    format_times,
    median_times,
    write_trace,
)
from fmmp.apis import add_arguments, init_distributed, read_config, run
from fmmp.apis.loaders import EpisodeLoader
from fmmp.apis.starter import is_trained
from fmmp.errors import InputError
from fmmp.files import require_writable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser, launched=False)
    parser.add_argument('--data', action='store_true', help="load the config's data")
    parser.add_argument('--repeats', type=int, default=5, help='runs to take the median of [5]')
    parser.add_argument('--trace', help='JSON file for the trace of a training step')
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the trace."""
    args = parse_args()
    if args.trace:
        require_writable(args.trace)
    config = read_config(args)
    kinds = (TrainingStep, TestEpisode) if is_trained(config) else (TestEpisode,)
    if args.trace and TrainingStep not in kinds:
        raise InputError(f'--trace: leave it out: {config.model.type} has no training step')
    device = init_distributed(gpu_id=args.gpu_id)
    print(describe(device))
    for kind in kinds:
        with closing(kind(config, device, args.data)) as measured:
            if measured.loader is not None:
                show_loading(measured.loader, args.repeats)
            print('\n' + format_times(measured.title, median_times(measured, args.repeats)))
            if kind is TrainingStep and args.trace:
                write_trace(measured, args.trace)
                print(f'\n{args.trace}: open it in ui.perfetto.dev')


def show_loading(loader: EpisodeLoader, repeats: int) -> None:
    """Print where the time of loading a sample goes."""
    samples = min(len(loader.dataset), 4 * repeats)
    times = loading_times(loader.dataset, range(samples), loader.batch_size)
    print('\n' + format_times('loading a sample', times))
    print(
        f'{1 / sum(times.values()):.1f} samples a second of one process; '
        f'the loader has {loader.num_workers} workers'
    )


if __name__ == '__main__':
    run(main)
