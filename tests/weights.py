"""Weights by formula, as the golden numbers were recorded with."""

import json
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parent / 'data'


def released_state() -> dict[str, torch.Tensor]:
    """A state dict with the release's names, every tensor filled from its name."""
    return dict(_released_state())


@cache
def _released_state() -> dict[str, torch.Tensor]:
    listing = json.loads((DATA / 'released_state_dict.json').read_text())
    return {name: tensor_of(name, shape) for name, shape in listing}


def tensor_of(name: str, shape: list[int], gain: float = 1.0) -> torch.Tensor:
    """A tensor filled from its name; a matrix is multiplied by ``gain``."""
    if name.endswith('num_batches_tracked'):
        return torch.zeros((), dtype=torch.long)
    rng = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    values = rng.randn(*shape)
    if name.endswith('running_var'):
        values = np.abs(values) * 0.1 + 1
    elif name.endswith('running_mean'):
        values = values * 0.05
    elif len(shape) > 1:
        values = values * np.sqrt(1 / np.prod(shape[1:])) * gain
    else:
        values = values * 0.05 + name.endswith('weight')
    return torch.from_numpy(values).float()
