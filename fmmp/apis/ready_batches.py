"""The next batch on its way to the device while the last one computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

Batch = dict[str, Any]
Begun = TypeVar('Begun')

READ_BY_HOST = ('index', 'num_queries')
"""What the model reads as numbers, for which it would wait if they were on the device."""


def ready_batches(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches that are on the device already; on the CPU they come as they are.

    On CUDA the copy of the next batch runs on a stream of its own beside the computation. It does
    so only from pinned memory, which the loaders give.

    Args:
        batches: a loader.
        device: where the model computes.
    """
    if device.type != 'cuda':
        yield from batches
        return
    stream = torch.cuda.Stream(device)

    def begin(batch: Batch) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(stream):
            moved = {
                name: value.to(device, non_blocking=True) if _for_device(name, value) else value
                for name, value in batch.items()
            }
            return moved, stream.record_event()

    def finish(begun: tuple[Batch, torch.cuda.Event]) -> Batch:
        batch, copied = begun
        current = torch.cuda.current_stream(device)
        current.wait_event(copied)
        for name, value in batch.items():
            if _for_device(name, value):
                value.record_stream(current)  # its memory is not given away before
        return batch

    yield from one_ahead(batches, begin, finish)


def one_ahead(
    batches: Iterable[Batch], begin: Callable[[Batch], Begun], finish: Callable[[Begun], Batch]
) -> Iterator[Batch]:
    """Give batches of which the following one has begun each time.

    Args:
        batches: where they come from.
        begin: begins a batch's way, without waiting.
        finish: waits for a batch that has begun, and returns it.
    """
    begun = None
    for batch in batches:
        following = begin(batch)
        if begun is not None:
            yield finish(begun)
        begun = following
    if begun is not None:
        yield finish(begun)


def _for_device(name: str, value: object) -> bool:
    return isinstance(value, Tensor) and name not in READ_BY_HOST
