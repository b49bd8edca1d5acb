"""Config files, and what the command line changes in them."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from mmcv import Config, DictAction
from mmcv.utils import config as mmcv_config

from fmmp.errors import InputError

from .checks import check_names


class Options(DictAction):
    """MMCV's ``KEY=VALUE …``; what is no such pair is the command line's error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: list[str],
        option_string: str | None = None,
    ) -> None:
        """Read the pairs."""
        for pair in values:
            if '=' not in pair:
                raise argparse.ArgumentError(self, f'{pair!r} is no KEY=VALUE')
        super().__call__(parser, namespace, values, option_string)


def read_file(path: str | Path, options: Mapping | None = None) -> Config:
    """Read a config file.

    Args:
        path: the file.
        options: settings in place of the file's, by dotted names.

    Raises:
        FileNotFoundError: the file, or one in its ``_base_``, is missing.
        InputError: it is no config, or an option is no setting.
    """
    try:
        config = Config.fromfile(str(path))
    except OSError:
        raise
    except Exception as error:
        if not _is_of_the_config(error):
            raise
        message = _explain(path, error)
    else:
        if options:
            check_names(config._cfg_dict, options)
            _merge(config, options)
        return config
    raise InputError(message)


def _merge(config: Config, options: Mapping) -> None:
    try:
        config.merge_from_dict(options)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f'{", ".join(options)}: cannot be set in {config.filename}: {error.args[0]}'
        ) from error


def _is_of_the_config(error: Exception) -> bool:
    """Whether the config is wrong, and not a module that it imports."""
    last = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    # MMCV runs a copy of the config, which is gone by now.
    return isinstance(error, (SyntaxError, ImportError)) or (
        last == Path(mmcv_config.__file__) or not last.exists()
    )


def _explain(path: str | Path, error: Exception) -> str:
    """Say what is wrong with a config, and free the copy that MMCV made of it."""
    shown = error.__context__ if isinstance(error, ImportError) and error.__context__ else error
    message = f'{path}: {shown.args[0] if shown.args else shown}'
    if not isinstance(error, SyntaxError):  # whose message names the file and the line
        lines = [
            f.lineno
            for f in traceback.extract_tb(error.__traceback__)
            if not Path(f.filename).exists()
        ]
        message += f' ({type(shown).__name__}{f", line {lines[-1]}" if lines else ""})'
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None  # its folder is gone before it
    traceback.clear_frames(error.__traceback__)
    sys.unraisablehook = hook
    return message
