"""The compiled ops against plain PyTorch in float64: results and all gradients.

Differences are relative to the largest number of the tensor. Half types add what rounding the
result and the incoming gradient does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from fmmp.models.ops import (
    fused_ms_deform_attn,
    library,
    ms_deform_attn,
    ms_deform_sample,
    reference,
)
from torch import Tensor

from tests.models.ops.cases import random_fused_inputs, random_inputs, results_and_gradients

OPS = (ms_deform_attn, ms_deform_sample, fused_ms_deform_attn)
ALLOWED = {
    torch.float64: 1e-10,
    torch.float32: 1e-4,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}
ODD = ((1, 1), (7, 3), (13, 29))
RELEASE = ((8, 8), (16, 16), (32, 32))
NO_PLACES = (float('nan'), float('inf'), -float('inf'), 3e38, -3e38, 1e10, -1e10)


def inputs_of(op: Callable, device: str, dtype: torch.dtype, **sizes: object) -> list:
    """Random arguments of one of the three ops."""
    if op is fused_ms_deform_attn:
        found = [*random_fused_inputs(dtype=dtype, **sizes)]
    else:
        found = [*random_inputs(dtype=dtype, **sizes)]
        if op is ms_deform_sample:
            found[0] = found[0][:, :, 0]
    return [one.to(device) if isinstance(one, Tensor) else one for one in found]


def scattered(inputs: list) -> list:
    """The same numbers, not contiguous in memory."""
    return [
        one.mT.contiguous().mT.repeat_interleave(2, 0)[::2]
        if isinstance(one, Tensor) and one.dim() > 1
        else one
        for one in inputs
    ]


def unaligned(inputs: list) -> list:
    """The same numbers, contiguous, beginning one element behind an aligned address."""
    return [
        torch.cat((one.new_zeros(1), one.flatten()))[1:].view_as(one)
        if isinstance(one, Tensor)
        else one
        for one in inputs
    ]


def hostile(inputs: list) -> list:
    """Some locations are no places."""
    bad = torch.tensor(NO_PLACES).to(inputs[3])
    locations = inputs[3].clone()
    locations.view(-1)[: 2 * len(bad) : 2] = bad
    return [*inputs[:3], locations, *inputs[4:]]


def level_tensors(inputs: list) -> list:
    """Levels as tensors on the device."""
    device = inputs[0].device
    return [inputs[0], *(torch.tensor(one, device=device) for one in inputs[1:3]), *inputs[3:]]


def as_they_are(inputs: list) -> list:
    """No change."""
    return inputs


CASES = {  # sizes, and a change of the arguments
    'release, small': (dict(levels=RELEASE, queries=70, heads=8, channels=32, points=4), None),
    'odd sizes': (dict(levels=ODD, batch=3, queries=5, heads=3, channels=37, points=3), None),
    'one channel': (dict(levels=ODD, channels=1), None),
    '129 channels': (dict(levels=ODD, channels=129, heads=2), None),
    '20 levels': (dict(levels=((3, 4),) * 20, queries=9, points=1), None),
    'one query': (dict(levels=RELEASE, queries=1, channels=16), None),
    '900 queries': (dict(levels=RELEASE, queries=900, channels=16, batch=1), None),
    'no queries': (dict(queries=0), None),
    'empty batch': (dict(batch=0), None),
    'not contiguous': (dict(channels=8), scattered),
    'unaligned': (dict(channels=8), unaligned),
    'no places': (dict(levels=ODD, queries=8, channels=8), hostile),
    'levels on the device': (dict(channels=8), level_tensors),
}


def difference(op: Callable, inputs: list, dtype: torch.dtype) -> tuple[float, int]:
    """The largest difference of a result or a gradient, relative, and how many are not allowed.

    A location's gradient jumps where it crosses the middle between two pixels, where rounding
    decides: of each hundred thousand such numbers one may be anything.
    """
    double = [
        one.double() if isinstance(one, Tensor) and one.is_floating_point() else one
        for one in inputs
    ]
    expected = results_and_gradients(getattr(reference, op.__name__), double)
    worst, apart = 0.0, 0
    for one, other in zip(results_and_gradients(op, inputs), expected, strict=True):
        if not one.numel():
            continue
        differences = (one.double() - other).abs() / other.abs().max().clamp_min(1e-30)
        differences = differences.nan_to_num(float('inf'), float('inf'))
        spare = one.numel() // 100_000 if one.shape == inputs[3].shape else 0
        found = differences.flatten().topk(min(1 + spare, one.numel())).values
        worst = max(worst, found[-1].item())
        apart += max(0, int((differences > ALLOWED[dtype]).sum()) - spare)
    return worst, apart


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row a case, then one of each further promise."""
    if device not in library.DEVICES:
        raise SystemExit(f'the ops are not compiled for {device}: {library.REASON}')
    cases = (
        CASES if device == 'cuda' else {name: CASES[name] for name in ('odd sizes', 'no places')}
    )
    for name, (sizes, change) in cases.items():
        row = {'case': name}
        for dtype, allowed in ALLOWED.items():
            worst = 0.0
            for op in OPS:
                inputs = (change or as_they_are)(inputs_of(op, device, dtype, **sizes))
                found, apart = difference(op, inputs, dtype)
                worst = max(worst, found)
                if apart:
                    row['failed'] = (
                        f'{op.__name__}, {dtype}: {apart} numbers are off by > {allowed}'
                    )
            row[str(dtype).removeprefix('torch.')] = worst
        yield row
    from . import promises  # of the op, beyond its numbers

    for name, holds in promises.PROMISES.items():
        row = {'case': name}
        try:
            note = holds(device)
        except promises.NotHere as reason:
            note = f'not checked: {reason}'
        except Exception as error:
            row['failed'] = f'{type(error).__name__}: {error}'[:500]
            note = ''
        yield {**row, 'note': note or 'holds'} if 'failed' not in row else row
