"""More than 2³¹ elements: of what is sampled, and of the values, in bfloat16.

The last images' results and gradients are those of these images alone. A place of an index that has
overflowed would be another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from fmmp.models.ops import library, ms_deform_attn, ms_deform_sample
from torch import Tensor

from tests.models.ops.cases import starts_of

from .parity import RELEASE
from .timing import OUT_OF_MEMORY, free_memory

LIMIT = 2**31


def rows(device: str, seconds: float) -> Iterator[dict]:
    """A row a large tensor."""
    if device not in library.DEVICES:
        raise SystemExit(f'the ops are not compiled for {device}: {library.REASON}')
    least = LIMIT if device == 'cuda' else 2**18
    # Of an image: 70 queries x 64 heads x 256 channels, sampled of few tokens; then 400 x 400
    # tokens of 8 heads x 32 channels, and few queries.
    yield check('sampled', ms_deform_sample, least, 70 * 64 * 256, RELEASE, (256,), 70, 64, device)
    side = 400 if device == 'cuda' else 20
    per_image = side**2 * 8 * 32
    yield check('values', ms_deform_attn, least, per_image, ((side, side),), (8, 32), 3, 8, device)


def check(
    what: str,
    op: Callable,
    least: int,
    per_image: int,
    levels: tuple,
    features: tuple[int, ...],
    queries: int,
    heads: int,
    device: str,
) -> dict:
    """Compare the last images of a batch with more than ``least`` elements with them alone."""
    batch = least // per_image + 2
    row = {'tensor': what, 'images': batch, 'elements': float(batch * per_image)}
    torch.manual_seed(0)
    like = {'device': device, 'dtype': torch.bfloat16}
    tokens = sum(height * width for height, width in levels)
    try:
        value = torch.randn(batch, tokens, *features, **like)
        sizes = batch, queries, heads, len(levels), 2
        locations = torch.rand(*sizes, 2, **like)
        weights = torch.rand(sizes, **like)

        def both(part: slice) -> list[Tensor]:
            floats = [one[part].detach().requires_grad_() for one in (value, locations, weights)]
            result = op(floats[0], levels, starts_of(levels), *floats[1:])
            result = result[0] if isinstance(result, tuple) else result
            gradients = torch.autograd.grad(result, floats, torch.ones_like(result))
            return [one[-2:].float() for one in (result.detach(), *gradients)]

        large = both(slice(None))
        free_memory()
        for one, other in zip(large, both(slice(batch - 2, batch)), strict=True):
            torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)
    except OUT_OF_MEMORY:
        row['note'] = 'not checked: out of memory'
    except (AssertionError, RuntimeError) as error:
        row['failed'] = ' '.join(str(error).split())[:500]
    value = locations = weights = large = None
    free_memory()
    return row
