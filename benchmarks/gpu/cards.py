"""Training in one process a card, on one and on all; on the CPU on one and on two of its cores."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row a number of processes."""
    most = torch.cuda.device_count() if device == 'cuda' else 2
    single = None
    for processes in sorted({1, 2, most} if device == 'cuda' and most > 1 else {1, most}):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / 'speed.json'
            launcher = ['-m', 'torch.distributed.run', '--standalone']
            launcher += ['--nproc_per_node', str(processes), '-m', f'{__package__}.card']
            subprocess.run([sys.executable, *launcher, device, str(out)], check=True)
            speed = json.loads(out.read_text())['images/s']
        single = single or speed
        row = {
            'processes': processes,
            'images/s': speed,
            'of as many alone': speed / single / processes,
        }
        if device == 'cuda' and most == 1:
            row['note'] = 'one card: nccl has run, scaling is not measured'
        yield row
