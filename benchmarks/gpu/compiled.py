"""torch.compile: the recorded points, and the speed of training and testing."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from tests.golden import POINTS, points_difference, released_model

from .golden import compare, in_full_float32
from .model_speed import measure
from .variants import COMPILED


def rows(device: str, seconds: float) -> Iterator[dict]:
    """The golden model compiled, then the ways to run that compile."""
    in_full_float32()
    model = released_model().to(device)
    backend = 'inductor' if device == 'cuda' else 'aot_eager'
    model.forward_points = torch.compile(model.forward_points, dynamic=False, backend=backend)
    row = compare('points, 1 shot', points_difference, POINTS, model, 1)
    yield {'use': row.pop('what'), 'way': 'float32, compiled', **row}
    yield from measure(COMPILED if device == 'cuda' else COMPILED[1:], device, seconds)
