"""Errors of constructors, in one line that names the settings they were given."""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from fmmp.errors import InputError
from fmmp.memory import what_to_lower


@contextmanager
def building(path: str, settings: Mapping, names: Collection[str] = ()) -> Iterator[None]:
    """Turn what a constructor raises into an InputError.

    Args:
        path: the name of its settings in the config, such as ``data.train``.
        settings: these.
        names: of settings that may be among them and that its messages speak of.

    Raises:
        InputError: in place of an error that is neither the system's nor for want of memory. Unless
            it was raised on purpose, the message tells where.
    """
    try:
        yield
    except InputError as error:
        raise type(error)(_named(path, settings, str(error), names)) from error
    except Exception as error:
        if isinstance(error, OSError) or what_to_lower(error):
            raise
        text = str(error)
        if isinstance(error, KeyError):  # which quotes its message, and MMCV again each time
            text = re.sub(r'\\*[\'"]+', '', text)
        raise InputError(_named(path, settings, text, names) + _place(error)) from error


def _named(path: str, settings: Mapping, text: str, names: Collection[str] = ()) -> str:
    """Name the settings in place of the classes that MMCV names: `model.neck` for `FMMP: Neck`."""
    outer, _, rest = text.partition(': ')
    if outer == settings.get('type'):
        text = rest
        for name, value in settings.items():
            if isinstance(value, Mapping) and text.startswith(f'{value.get("type")}: '):
                return _named(f'{path}.{name}', value, text)
    if text.startswith(path):
        return text
    for name in names:
        text = re.sub(rf'(?<![\w.]){name}\b', f'{path}.{name}', text)
    if text.startswith(path):
        return text
    own = re.match(r'\w*', text)[0] in settings
    return f'{path}{"." if own else ": "}{text}'


def _place(error: BaseException) -> str:
    """Where an error came up first; nothing if it was raised there with a message of its own."""
    while error.__context__ is not None:  # MMCV raises it anew
        error = error.__context__
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if str(error) and frame.line.startswith(('raise ', 'assert ')):
        return ''
    return f' ({type(error).__name__} at {frame.filename}:{frame.lineno}: {frame.line})'
