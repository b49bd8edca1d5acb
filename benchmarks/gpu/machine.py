"""What the machine is, and what it can do at best."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator

import torch

from .timing import copy_bandwidth, median_seconds

MATRICES = {'TFLOP/s, float32': torch.float32, 'TFLOP/s, bfloat16': torch.bfloat16}


def rows(device: str, seconds: float) -> Iterator[dict]:
    """One row."""
    row = {'name': f'{platform.machine()} CPU'}
    if device == 'cuda':
        card = torch.cuda.get_device_properties(0)
        row = {
            'name': card.name,
            'cards': torch.cuda.device_count(),
            'compute capability': f'{card.major}.{card.minor}',
            'memory, GB': card.total_memory / 1e9,
            'multiprocessors': card.multi_processor_count,
            'driver': driver(),
        }
    row |= {
        'cores': len(os.sched_getaffinity(0)),
        'python': platform.python_version(),
        'torch': str(torch.__version__),
        'CUDA of torch': torch.version.cuda or 'none',
    }
    yield {**row, **peaks(device)}


def driver() -> str:
    """The driver's version."""
    if not shutil.which('nvidia-smi'):
        return 'unknown'
    command = ['nvidia-smi', '--query-gpu=driver_version', '--format=csv,noheader']
    return subprocess.run(command, capture_output=True, text=True).stdout.split('\n')[0]


def peaks(device: str) -> dict[str, float]:
    """The bandwidth of a copy, and the rate of a product of large matrices, all measured."""
    size = 8192 if device == 'cuda' else 256
    found = {'copy, GB/s': copy_bandwidth(device) / 1e9}
    for name, dtype in MATRICES.items():
        one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        found[name] = 2 * size**3 / median_seconds(lambda a=one, b=other: a @ b, device, 0.5) / 1e12
    if device == 'cuda':
        torch.backends.cuda.matmul.allow_tf32 = True
        one, other = (torch.randn(size, size, device=device) for _ in range(2))
        found['TFLOP/s, TF32'] = 2 * size**3 / median_seconds(lambda: one @ other, device) / 1e12
    return found
