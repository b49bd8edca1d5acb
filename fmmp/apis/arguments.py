"""Command-line arguments that training and testing share."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from mmcv import Config, DictAction
from mmcv.runner import get_dist_info

from fmmp.errors import InputError
from fmmp.memory import keep_freed_memory

from .distributed import LAUNCHERS, leave_distributed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, changes to it, and where to run."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help="settings in place of the config's, such as data.samples_per_gpu=8",
    )
    parser.add_argument('--gpu-id', type=int, default=0, help='GPU of a single process [0]')
    parser.add_argument(
        '--launcher', choices=LAUNCHERS, default='none', help='what started several processes'
    )
    # Set by older launchers; torchrun sets the environment instead.
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def read_config(args: argparse.Namespace) -> Config:
    """The config that the arguments name, with its changes."""
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options)
    return config


def run(main: Callable[[], None]) -> None:
    """Run a script; what is wrong with its input or machine ends it in one line, no traceback.

    The exit status is 1 after an error, and 128 + N after signal N.
    """
    keep_freed_memory()
    try:
        main()
        leave_distributed()
    except (InputError, OSError) as error:
        sys.exit(f'error: {_one_line(error)}')
    except RuntimeError as error:
        if not str(error).startswith('DataLoader worker'):
            raise
        sys.exit(
            f'error: {_one_line(error)}; a worker that is killed most often lacked memory: lower '
            'data.workers_per_gpu or data.samples_per_gpu, or ask for more'
        )
    except KeyboardInterrupt as interrupt:
        if get_dist_info()[0] == 0:
            print(str(interrupt) or 'interrupted', file=sys.stderr)
        sys.exit(128 + getattr(interrupt, 'number', signal.SIGINT))


def _one_line(error: Exception) -> str:
    """An error's message; of one in a data loader's worker, what the worker says last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if lines[0].startswith('Caught ') else ' '.join(lines)
