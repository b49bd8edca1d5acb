"""Features of image tokens at points, and means over the shots that show a keypoint."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops import ms_deform_attn

Levels = Sequence[tuple[int, int]]
"""Each level's (height, width), coarse to fine, in the order of the tokens."""


def join_levels(maps: Sequence[Tensor]) -> tuple[Tensor, Levels]:
    """Join the levels' maps (…, D, H_l, W_l) to one sequence of tokens.

    Returns:
        tokens (…, N, D), N being the sum of H_l · W_l, and each level's (height, width).
    """
    tokens = torch.cat([level.flatten(-2).transpose(-2, -1) for level in maps], dim=-2)
    return tokens, [tuple(level.shape[-2:]) for level in maps]


def level_starts(levels: Levels) -> list[int]:
    """Where each level's tokens start."""
    starts = [0]
    for height, width in levels[:-1]:
        starts.append(starts[-1] + height * width)
    return starts


def split_levels(tokens: Tensor, levels: Levels) -> tuple[Tensor, ...]:
    """Each level's tokens (…, H_l · W_l, D), of all levels' (…, N, D)."""
    return tokens.split([height * width for height, width in levels], dim=-2)


def features_at(points: Tensor, tokens: Tensor, levels: Levels) -> Tensor:
    """The mean over levels of the features at points, bilinear, zero outside the image.

    Args:
        points: (B, K, 2) in [0, 1].
        tokens: (B, N, D).
        levels: each level's (height, width).

    Returns:
        (B, K, D)
    """
    locations = points[:, :, None, None, None].expand(-1, -1, 1, len(levels), 1, 2)
    weights = torch.full_like(locations[..., 0], 1 / len(levels))
    return ms_deform_attn(tokens[:, :, None], levels, level_starts(levels), locations, weights)


def read_at(points: Tensor, maps: Tensor) -> Tensor:
    """Each keypoint's own map at points of its own, bilinear, zero outside the image.

    Args:
        points: (B, K, G, 2) in [0, 1].
        maps: (B, K, H, W).

    Returns:
        (B, K, G)
    """
    grid = 2 * points.flatten(0, 1)[:, None] - 1  # (B·K, 1, G, 2)
    read = F.grid_sample(maps.flatten(0, 1)[:, None], grid, align_corners=False)
    return read.view(points.shape[:3])


def mean_over_shots(features: Tensor, visible: Tensor) -> Tensor:
    """Each keypoint's mean over the shots in which it is visible, zero where it is in none.

    Args:
        features: (B, S, K, D).
        visible: (B, S, K) bool.

    Returns:
        (B, K, D)
    """
    weights = visible[..., None].to(features.dtype)
    return (features * weights).sum(1) / weights.sum(1).clamp(min=0.1)
