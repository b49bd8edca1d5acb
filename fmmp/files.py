"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = '.unfinished-'  # begins the names of temporary files
PROJECT_FILE = 'fmmp_project.json'  # the page's, beside the pictures


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path``, put in its place when the block ends without an error.

    It is on the disk before it takes the place, so that neither a kill nor a power cut leaves half
    a file there.

    Args:
        path: the file to write; missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f'{UNFINISHED}{path.name}.', suffix=path.suffix
    )
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
        Path(name).unlink(missing_ok=True)  # a signal may come when it has its name already
        raise
    _flush_folder(path.parent)


def link_atomically(link: Path, target: str) -> None:
    """Let a symbolic link point to a file beside it; at every moment there is the old or the new.

    Args:
        link: the link.
        target: the file's name.
    """
    scratch = link.with_name(f'{UNFINISHED}{link.name}')
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    os.replace(scratch, link)
    _flush_folder(link.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files that a killed process has left."""
    for path in folder.glob(f'{UNFINISHED}*'):
        path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Let a new name in a folder outlive a power cut, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(content: object, path: str | Path) -> None:
    """Write a JSON file, all of it or nothing."""
    with atomic_path(path) as scratch:
        scratch.write_text(json.dumps(content, separators=(',', ':')))


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
