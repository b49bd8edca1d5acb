"""Multi-scale deformable attention, compiled where it can be.

The compiled ops are in ``csrc/``. Where they are not built, or not for a device, the same is
computed in plain PyTorch; ``python -m fmmp.models.ops`` says which, and why.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import library, reference

Sizes = Tensor | Sequence[tuple[int, int]]
Starts = Tensor | Sequence[int]


def ms_deform_attn(
    value: Tensor,
    spatial_shapes: Sizes,
    level_start_index: Starts,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """Sum, for every query and head, of values sampled at its locations, times their weights.

    Values are interpolated bilinearly inside a level's map and are zero outside it
    (``align_corners=False``). A location that is infinite or not a number is outside. The
    arguments and their order are Deformable DETR's.

    Args:
        value: (B, N, H, C), the tokens of all levels, one level after the other; float32, float64,
            float16 or bfloat16, of which the latter two are summed in float32.
        spatial_shapes: (L, 2) int64, each level's (height, width); their products sum to N.
        level_start_index: (L,) int64, where each level's tokens start among the N. Both may be
            sequences of ints, which a GPU need not be asked for. Tensors on a GPU are not checked:
            wrong ones give wrong samples, but nothing besides the values is read.
        sampling_locations: (B, Q, H, L, P, 2), (x, y) relative to the level's map: (0, 0) is its
            top left corner and (1, 1) its bottom right one.
        attention_weights: (B, Q, H, L, P).

    Returns:
        (B, Q, H * C)

    Raises:
        ValueError: sizes, dtypes or devices do not fit together.
    """
    arguments = (value, spatial_shapes, level_start_index, sampling_locations, attention_weights)
    if value.device.type not in library.DEVICES:
        return reference.ms_deform_attn(*arguments)
    return _call(torch.ops.fmmp.ms_deform_attn, *arguments)


def ms_deform_sample(
    tokens: Tensor,
    spatial_shapes: Sizes,
    level_start_index: Starts,
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> tuple[Tensor, Tensor]:
    """Weighted sums of tokens that all heads share, for a value projection to follow.

    Sampling is linear: with a head's value projection V x + b, `ms_deform_attn` of the
    projected tokens is ``V @ sampled + b * inside``.

    Args:
        tokens: (B, N, D), of all levels, one level after the other.
        spatial_shapes: (L, 2), each level's (height, width), as in `ms_deform_attn`.
        level_start_index: (L,).
        sampling_locations: (B, Q, H, L, P, 2).
        attention_weights: (B, Q, H, L, P).

    Returns:
        sampled: (B, Q, H, D), sums over levels and points of weight times sampled token.
        inside: (B, Q, H), the same sums with one in each token's place: how much of the weight
            lies inside the maps.

    Raises:
        ValueError: sizes, dtypes or devices do not fit together.
    """
    arguments = (spatial_shapes, level_start_index, sampling_locations, attention_weights)
    if tokens.device.type not in library.DEVICES or tokens.dim() != 3:
        return reference.ms_deform_sample(tokens, *arguments)
    return _call(torch.ops.fmmp.ms_deform_sample, tokens.unsqueeze(2), *arguments)


def fused_ms_deform_attn(
    tokens: Tensor,
    spatial_shapes: Sizes,
    level_start_index: Starts,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    value_weight: Tensor,
    value_bias: Tensor,
) -> Tensor:
    """Multi-scale deformable attention of tokens that are yet to be projected to values.

    The same as `ms_deform_attn` of ``linear(tokens, value_weight, value_bias)``, but what
    was sampled is projected, a few queries at a time, and not all tokens; for the gradients it is
    sampled anew. That takes less time and memory where the queries are far fewer than the tokens.

    Args:
        tokens: (B, N, D), of all levels, one level after the other.
        spatial_shapes: (L, 2), each level's (height, width), as in `ms_deform_attn`.
        level_start_index: (L,).
        sampling_locations: (B, Q, H, L, P, 2).
        attention_weights: (B, Q, H, L, P).
        value_weight: (H * C, D), as of a ``nn.Linear``, one head after the other.
        value_bias: (H * C,).

    Returns:
        (B, Q, H * C)

    Raises:
        ValueError: sizes, dtypes or devices do not fit together.
    """
    arguments = (
        tokens,
        spatial_shapes,
        level_start_index,
        sampling_locations,
        attention_weights,
        value_weight,
        value_bias,
    )
    if tokens.device.type not in library.DEVICES:
        return reference.fused_ms_deform_attn(*arguments)
    return _call(torch.ops.fmmp.fused_ms_deform_attn, *arguments)


def _call(
    op: torch._ops.OpOverloadPacket,
    value: Tensor,
    spatial_shapes: Sizes,
    level_start_index: Starts,
    *rest: Tensor,
) -> Tensor | tuple[Tensor, Tensor]:
    """Call the overload for tensors, or the one for lists of ints."""
    if isinstance(spatial_shapes, Tensor) and isinstance(level_start_index, Tensor):
        return op.default(value, spatial_shapes, level_start_index, *rest)
    sizes, starts = reference.read_levels(spatial_shapes, level_start_index)
    return op.ints(value, [length for size in sizes for length in size], starts, *rest)
