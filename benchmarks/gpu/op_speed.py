"""FGSA's projection and sampling, fused and plain, and against what memory allows.

The sizes of benchmarks/fgsa_op.py: 8 branches of 8 heads, 70 keypoints, 1344 tokens of 256
channels.
``share of copy`` is the time in which a copy within the card's memory moves the bytes that the op
must move (each input read once, each result written once), over the time that it took: near 1 where
the op is bound by memory and does all at once. ``TFLOP/s`` tells how near it is to being bound by
arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from fmmp.models.ops import library

from benchmarks.fgsa_op import (
    BRANCHES,
    DIMS,
    HEADS,
    KEYPOINTS,
    LEVELS,
    POINTS,
    forward,
    forward_backward,
    fused,
    make_inputs,
    plain,
)

from .timing import OUT_OF_MEMORY, copy_bandwidth, free_memory, median_seconds, peak_gigabytes

ALL_HEADS = BRANCHES * HEADS
SAMPLES = KEYPOINTS * ALL_HEADS * len(LEVELS) * POINTS  # of an image


def bytes_to_move(inputs: list[torch.Tensor], backward: bool) -> int:
    """Each input read and the result written once; backward also reads the result's gradient and
    reads the inputs again, and writes theirs."""
    read = sum(one.numel() * one.element_size() for one in inputs)
    result = len(inputs[0]) * KEYPOINTS * BRANCHES * DIMS * inputs[0].element_size()
    return read + result + backward * (read + result + read)


def operations(batch: int, backward: bool) -> int:
    """Of sampling (four corners and the weight) and projection; twice as many again backward."""
    sampling = SAMPLES * DIMS * 2 * 5
    projection = 2 * KEYPOINTS * ALL_HEADS * DIMS * (DIMS // HEADS)
    return batch * (sampling + projection) * (3 if backward else 1)


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row a batch size, direction and precision."""
    if device not in library.DEVICES:
        raise SystemExit(f'nothing to compare, not compiled for {device}: {library.REASON}')
    bandwidth = copy_bandwidth(device)
    batches = (1, 4, 16, 64, 256) if device == 'cuda' else (1,)
    dtypes = (torch.float32, torch.bfloat16) if device == 'cuda' else (torch.float32,)
    runs = [(forward, False), (forward_backward, True)]
    each = seconds / (3 * len(batches) * len(dtypes) * len(runs) * 2)
    for batch in batches:
        for dtype in dtypes:
            inputs = [one.detach().to(dtype).requires_grad_() for one in make_inputs(batch, device)]
            for run, backward in runs:
                row = {
                    'batch': batch,
                    'dtype': str(dtype).removeprefix('torch.'),
                    'pass': 'forward, backward' if backward else 'forward',
                }
                times = {}
                for name, method in (('plain', plain), ('fused', fused)):
                    once = partial(run, method, inputs)
                    try:
                        times[name] = median_seconds(once, device, min(each, 1))
                        row[f'{name}, ms'] = 1000 * times[name]
                        row[f'{name}, GB'] = peak_gigabytes(once, device)
                    except OUT_OF_MEMORY:
                        row['note'] = f'{name}: out of memory'
                        free_memory()
                if 'fused' in times:
                    moved = bytes_to_move(inputs, backward)
                    if 'plain' in times:
                        row['ratio'] = times['plain'] / times['fused']
                    row['GB/s'] = moved / times['fused'] / 1e9
                    row['share of copy'] = moved / bandwidth / times['fused']
                    row['TFLOP/s'] = operations(batch, backward) / times['fused'] / 1e12
                yield row
