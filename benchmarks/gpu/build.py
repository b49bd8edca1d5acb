"""Compile the ops for this machine, and say which are in use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIP = [sys.executable, '-m', 'pip', 'install', '--no-deps', '--no-build-isolation']


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row of the build, and one of what is in use."""
    if device == 'cuda' or not is_installed():
        start = time.monotonic()
        done = install(device)
        row = {'what': f'compiled for {device}', 'seconds': time.monotonic() - start}
        if done.returncode:
            install('0')  # so that the steps that can do without them run
            said = (done.stdout + done.stderr).splitlines()
            errors = [line.strip() for line in said if 'error' in line.lower()]
            row['failed'] = errors[0] if errors else 'pip failed'
            print(done.stdout[-20000:], done.stderr[-20000:])
        yield row
    said = subprocess.run(
        [sys.executable, '-m', 'fmmp.models.ops'], cwd=ROOT, capture_output=True, text=True
    )
    row = {'what': ' '.join(said.stdout.split())}
    if f'{device}: compiled' not in said.stdout:
        row['failed'] = said.stderr.strip() or f'the ops are not compiled for {device}'
    yield row


def is_installed() -> bool:
    """Whether this environment has FMMP."""
    try:
        return bool(version('fmmp'))
    except PackageNotFoundError:
        return False


def install(ops: str) -> subprocess.CompletedProcess:
    """Install the clone with the ops that ``FMMP_OPS`` names."""
    environment = {**os.environ, 'FMMP_OPS': ops, 'MAX_JOBS': os.environ.get('MAX_JOBS', '8')}
    command = [*PIP, '--verbose', '--editable', str(ROOT)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
