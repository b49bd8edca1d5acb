"""tests/models/ops/test_ms_deform_attn.py, with its inputs on the card."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row: what pytest says last."""
    missing = [name for name in ('pytest', 'hypothesis') if find_spec(name) is None]
    if missing:
        yield {'what': 'the tests', 'note': f'not run: {" and ".join(missing)} not installed'}
        return
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--tb=short']
    command += ['tests/models/ops/test_ms_deform_attn.py']
    if device == 'cpu':
        command += ['-k', 'bilinear']
    environment = {**os.environ, 'FMMP_TEST_DEVICE': device}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    row = {'what': (done.stdout.strip().splitlines() or ['nothing'])[-1]}
    if done.returncode:
        print(done.stdout[-20000:], done.stderr[-5000:])
        row['failed'] = f'exit status {done.returncode}'
    yield row
