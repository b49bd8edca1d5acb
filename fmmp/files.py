"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path``, put in its place when the block ends without an error.

    Args:
        path: the file to write; missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp makes it its owner's alone
        with open(name, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def write_json(content: object, path: str | Path) -> None:
    """Write a JSON file, all of it or nothing."""
    with atomic_path(path) as scratch:
        scratch.write_text(json.dumps(content))


def require_writable(path: str | Path) -> None:
    """Make sure, before long work, that its result can be written.

    Raises:
        OSError: the path is a folder, or the folder it lies in cannot be made or written to.
    """
    path = Path(path).absolute()
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder: name a file in it')
    parent = next(folder for folder in path.parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f'{path} cannot be written: {parent} is no folder that may be')
