"""Files of MP-100's tools: written whole or not at all."""

import json
import os
import tempfile
from pathlib import Path


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
