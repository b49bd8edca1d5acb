"""Files of MP-100's tools: written whole or not at all."""

import json
import os
import tempfile
from pathlib import Path


def require_writable(path: str | Path) -> None:
    """Make sure, before long work, that its result can be written.

    Raises:
        OSError: the path is a folder, or the folder it lies in cannot be made or written to.
    """
    path = Path(path).absolute()
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder: name a file in it')
    parent = next(folder for folder in path.parents if folder.exists())
    if not parent.is_dir():
        raise NotADirectoryError(f'{path} cannot be written: {parent} is no folder')
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f'{path} cannot be written: no permission to write to {parent}')


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file, all of it or nothing.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
        os.chmod(scratch, 0o644)  # mkstemp makes it its owner's alone
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def write_json(path: str | Path, content: object, indent: int | None = None) -> None:
    """Write JSON, all of it or nothing; the same content gives the same bytes."""
    text = json.dumps(content, indent=indent, ensure_ascii=False) + '\n'
    write_atomically(path, text.encode())
