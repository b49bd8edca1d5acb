"""Where a method looks: the places of an image that its answers are made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import NamedTuple

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


class Step(NamedTuple):
    """Where a layer looks for each keypoint, and where it moves it.

    Samples are those of `Samples`, all of them: a keypoint's weights have the sum 1.

    Attributes:
        before: (B, Q, K, 2) in [0, 1], where the layer starts.
        after: (B, Q, K, 2), its prediction.
        queries: (B, Q, K, N, 3), its samples of the queries; None of another attention than FGSA.
        supports: (B, Q, S, K, N', 3), its samples of the supports; None also of the first layer,
            which mines them before there is a query.
        window: (B, Q, K, G, 3), the places that its local match compares, if it has one; their mean
            is where this moves the points, before the layer's MLP does.
    """

    before: Tensor
    after: Tensor
    queries: Tensor | None = None
    supports: Tensor | None = None
    window: Tensor | None = None


def mean_place(samples: Tensor) -> Tensor:
    """The mean of places (…, N, 3) by their weights, whose sum is 1: (…, 2)."""
    return (samples[..., :2] * samples[..., 2:]).sum(-2)


def strongest(samples: Tensor, count: int = MOST) -> Tensor:
    """The samples of the largest weights, the largest first: of (…, N, 3), (…, N', 3)."""
    index = samples[..., 2].topk(min(count, samples.shape[-2])).indices
    return samples.gather(-2, index[..., None].expand(*index.shape, 3))


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
