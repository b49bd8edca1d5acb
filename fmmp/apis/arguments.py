"""Command-line arguments that training and testing share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from mmcv import Config

from fmmp import cli
from fmmp.cli import signal_status
from fmmp.errors import InputError
from fmmp.memory import keep_freed_memory, what_to_lower

from .distributed import (
    LAUNCHERS,
    end_after_failure,
    failure_elsewhere,
    is_first_process,
    leave_distributed,
)
from .settings.reading import Options, read_file
from .starter import starter_file


def add_arguments(
    parser: argparse.ArgumentParser, needs_config: bool = True, launched: bool = True
) -> None:
    """Add the config, changes to it, and where to run.

    Args:
        parser: of the command.
        needs_config: without one, the starter's is meant.
        launched: whether several processes may share the work.
    """
    add_config_arguments(parser, needs_config)
    parser.add_argument('--gpu-id', type=int, default=0, help='GPU of a single process [0]')
    if not launched:
        return
    parser.add_argument(
        '--launcher', choices=LAUNCHERS, default='none', help='what started several processes'
    )
    # Set by older launchers; torchrun sets the environment instead.
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def add_config_arguments(parser: argparse.ArgumentParser, needs_config: bool = True) -> None:
    """Add the config, and changes to it.

    Args:
        parser: of the command.
        needs_config: without one, the starter's is meant.
    """
    text = 'config file' if needs_config else "config file [the starter's]"
    parser.add_argument('config', nargs=None if needs_config else '?', help=text)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Options,
        default={},
        metavar='KEY=VALUE',
        help="settings in place of the config's, such as data.samples_per_gpu=8",
    )


def read_config(args: argparse.Namespace) -> Config:
    """The config that the arguments name, the starter's if they may name none, with its changes."""
    return read_file(args.config or starter_file(), args.cfg_options)


def run(main: Callable[[], None]) -> None:
    """`fmmp.cli.run` for a command that may be one of several processes.

    The first of them alone says that it was interrupted. An error in one ends them all.
    """

    def main_of_a_process() -> None:
        keep_freed_memory()
        try:
            main()
            leave_distributed()
        except Exception as error:
            message = what_to_lower(error)
            if message is None and isinstance(error, RuntimeError):  # a collective without the rest
                message = failure_elsewhere()
            if message is None or isinstance(error, InputError):
                raise
            raise InputError(message) from None
        except KeyboardInterrupt as interrupt:
            if not is_first_process():
                sys.exit(signal_status(interrupt))
            raise

    try:
        cli.run(main_of_a_process)
    except SystemExit as end:
        if isinstance(end.code, str):
            end_after_failure(end.code)
        raise
    except Exception:
        end_after_failure(None)
        raise
