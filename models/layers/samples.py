"""Where a method looks: the places of an image that its answers are made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import NamedTuple

import torch
from torch import Tensor, nn

MOST = 48  # samples of a keypoint that are shown


class Samples(NamedTuple):
    """Where a method looks for each keypoint.

    A sample is x, y in [0, 1] of its crop and its weight; outside the crop there is black.

    Attributes:
        queries: (B, Q, K, N, 3).
        supports: for each query (B, Q, S, K, N', 3); None where the supports are read at their
            keypoints alone.
    """

    queries: Tensor
    supports: Tensor | None = None


def strongest(places: Tensor, weights: Tensor, count: int = MOST) -> Tensor:
    """The samples of the largest weights, the largest first.

    Args:
        places: (…, N, 2).
        weights: (…, N).
        count: how many of them at most.

    Returns:
        (…, N', 3), places and weights.
    """
    weights, index = weights.topk(min(count, weights.shape[-1]))
    places = places.gather(-2, index[..., None].expand(*index.shape, 2))
    return torch.cat([places, weights[..., None]], dim=-1)


@contextmanager
def recorded_inputs(module: nn.Module) -> Iterator[list[tuple]]:
    """The inputs of a module's calls in this thread, while the context lasts."""
    calls, thread = [], get_ident()

    def record(_: nn.Module, inputs: tuple) -> None:
        if get_ident() == thread:
            calls.append(inputs)

    handle = module.register_forward_pre_hook(record)
    try:
        yield calls
    finally:
        handle.remove()
