"""The model's recorded points, losses and gradients; the tests' functions and tolerances."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch

from tests.golden import (
    GRADIENTS,
    POINTS,
    gradients_difference,
    points_difference,
    released_model,
)


def in_full_float32() -> None:
    """No TF32, and convolutions that add in one order."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def rows(device: str, seconds: float) -> Iterator[dict]:
    """Points, then losses and gradients, of one and of three shots."""
    in_full_float32()
    released = released_model().to(device)
    for shots in (1, 3) if device == 'cuda' else (1,):
        yield compare(f'points, {shots} shot', points_difference, POINTS, released, shots)
    for shots in (1, 3) if device == 'cuda' else ():
        model = copy.deepcopy(released)
        yield compare(
            f'losses and gradients, {shots} shot', gradients_difference, GRADIENTS, model, shots
        )


def compare(
    what: str, difference: object, allowed: float, model: torch.nn.Module, shots: int
) -> dict:
    """A row of the difference from what was recorded."""
    row = {'what': what, 'allowed': allowed}
    try:
        row['difference'] = difference(model, shots)
    except AssertionError as error:
        return {**row, 'failed': ' '.join(str(error).split())}
    return row if row['difference'] <= allowed else {**row, 'failed': 'more than is allowed'}
