"""A file of JSON lines that grows while work goes on, and is whole whenever it is read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from fmmp.errors import InputError
from fmmp.files import atomic_path


class ResultLines:
    """JSON objects, a line each, of one or more processes that write in turn.

    Args:
        path: the file; it is made with its first line.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __iter__(self) -> Iterator[dict]:
        """The objects; a line that a kill has cut short is none."""
        if not self.path.exists():
            return
        with self.path.open('rb') as file:
            for line in file:
                content = _object(line)
                if content is not None:
                    yield content

    def append(self, content: dict) -> None:
        """Write a line, in one piece and behind all others'."""
        line = json.dumps(content, separators=(',', ':'), ensure_ascii=False).encode() + b'\n'
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # processes of one machine
            if os.write(handle, line) < len(line):
                raise OSError(f'{self.path}: the disk is full')
        finally:
            os.close(handle)

    def repair(self, keep: Callable[[dict], bool] = lambda content: True) -> None:
        """Drop lines that are cut short, or that ``keep`` refuses. No other process may write.

        Raises:
            InputError: the file is none of JSON lines.
        """
        if not self.path.exists():
            return
        with self.path.open('rb') as file:
            lines = dropped = 0
            for line in file:
                lines += 1
                content = _object(line)
                dropped += content is None or not keep(content)
            if lines > 1 and next(iter(self), None) is None:
                raise InputError(f'{self.path} holds no JSON lines: name another folder')
            if not dropped:
                return
            file.seek(0)
            with atomic_path(self.path) as scratch, scratch.open('wb') as whole:
                for line in file:
                    content = _object(line)
                    if content is not None and keep(content):
                        whole.write(line)


def _object(line: bytes) -> dict | None:
    if not line.endswith(b'\n'):
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
