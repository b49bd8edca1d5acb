"""Multi-scale deformable attention's sampling, in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def ms_deform_attn(
    value: Tensor,
    spatial_shapes: Tensor | Sequence[tuple[int, int]],
    level_start_index: Tensor | Sequence[int],
    sampling_locations: Tensor,
    attention_weights: Tensor,
) -> Tensor:
    """Sum, for every query and head, of values sampled at its locations, times their weights.

    Values are interpolated bilinearly inside a level's map and are zero outside it
    (``align_corners=False``). The arguments and their order are Deformable DETR's.

    Args:
        value: (B, N, H, C), the tokens of all levels, one level after the other.
        spatial_shapes: (L, 2), each level's (height, width); their products sum to N.
        level_start_index: (L,), where each level's tokens start among the N.
        sampling_locations: (B, Q, H, L, P, 2), (x, y) relative to the level's map: (0, 0) is its
            top left corner and (1, 1) its bottom right one.
        attention_weights: (B, Q, H, L, P).

    Returns:
        (B, Q, H * C)
    """
    batch, _, heads, channels = value.shape
    queries = sampling_locations.shape[1]
    # grid_sample counts from -1 to 1; the heads join the batch.
    grids = (2 * sampling_locations - 1).transpose(1, 2).flatten(0, 1)
    samples = []
    for level, ((height, width), start) in enumerate(
        zip(_as_list(spatial_shapes), _as_list(level_start_index), strict=True)
    ):
        maps = value[:, start : start + height * width].permute(0, 2, 3, 1)
        samples.append(
            F.grid_sample(
                maps.reshape(batch * heads, channels, height, width),
                grids[:, :, level],
                mode='bilinear',
                padding_mode='zeros',
                align_corners=False,
            )
        )
    samples = torch.cat(samples, dim=-1)  # (B*H, C, Q, L*P)
    weights = attention_weights.transpose(1, 2).reshape(batch * heads, 1, queries, -1)
    attended = (samples * weights).sum(-1)  # (B*H, C, Q)
    return attended.reshape(batch, heads * channels, queries).transpose(1, 2)


def _as_list(values: Tensor | Sequence) -> Sequence:
    return values.tolist() if isinstance(values, Tensor) else values
