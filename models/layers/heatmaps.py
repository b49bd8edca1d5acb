"""Keypoints as Gaussian heatmaps, and features pooled by them.

A heatmap has a cell for every 4 × 4 pixels of the crop. That of a keypoint at pixels p is

    exp(-((i - m_x)² + (j - m_y)²) / 2σ²)  where |i - m_x| <= 3σ and |j - m_y| <= 3σ,

with m = int(p / 4 + 0.5) truncated towards zero; zero elsewhere and for an invisible keypoint. It
is the product of a profile along x and one along y. So is all that bilinear resampling makes of it,
which is why neither heatmaps nor upsampled features need be computed to pool features by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDE = 4
"""Pixels of the crop along a side of a heatmap's cell."""


def touches_heatmap(points: Tensor, size: int, sigma: float) -> Tensor:
    """Tell which points count as visible because their Gaussian reaches the heatmap.

    It is the methods' test, which lets in a point whose Gaussian ends one cell before the first.

    Args:
        points: (…, 2) in [0, 1].
        size: cells along a side of the heatmap.
        sigma: σ in cells.

    Returns:
        (…) bool
    """
    cell, reach = _cells(points, size), 3 * sigma
    return ((cell >= -reach - 1) & (cell < size + reach)).all(-1)


def profiles(points: Tensor, visible: Tensor, size: int, sigma: float = 2.0) -> Tensor:
    """The two factors of each keypoint's heatmap, along x and along y.

    Args:
        points: (…, 2) in [0, 1].
        visible: (…) bool; the profiles of invisible keypoints are zero.
        size: cells along a side of the heatmap.
        sigma: σ in cells.

    Returns:
        (…, 2, size)
    """
    cells = torch.arange(size, dtype=points.dtype, device=points.device)
    distance = cells - _cells(points, size)[..., None]
    inside = (distance.abs() <= 3 * sigma) & visible[..., None, None]
    return torch.exp(-distance.square() / (2 * sigma**2)) * inside


def heatmaps(points: Tensor, visible: Tensor, size: int, sigma: float = 2.0) -> Tensor:
    """Each keypoint's heatmap, of peak 1.

    Args:
        points, visible, size, sigma: as of `profiles`.

    Returns:
        (…, size, size), rows along y
    """
    return _product(profiles(points, visible, size, sigma))


def resampled_heatmaps(
    points: Tensor, visible: Tensor, size: int, cells: int, sigma: float = 2.0
) -> Tensor:
    """Heatmaps resampled bilinearly, without antialiasing, and divided by their maximum.

    Args:
        points, visible, size, sigma: as of `profiles`.
        cells: cells along a side of the result.

    Returns:
        (…, cells, cells), rows along y
    """
    maps = _product(profiles(points, visible, size, sigma) @ resampling(size, cells, like=points).T)
    return maps / (maps.amax((-2, -1), keepdim=True) + 1e-10)


def pool_by_heatmaps(
    maps: Tensor, points: Tensor, visible: Tensor, sizes: Sequence[int], sigma: float = 2.0
) -> Tensor:
    """Sum features over the image, weighted by each keypoint's heatmap divided by its sum.

    Args:
        maps: (…, C, h, h), the image's features, which the heatmaps weigh upsampled bilinearly.
        points: (…, K, 2) in [0, 1].
        visible: (…, K) bool; the features of invisible keypoints are zero.
        sizes: sides that the features are upsampled to, one after the other; the last one is that
            of the heatmaps.
        sigma: σ in the heatmaps' cells.

    Returns:
        (…, K, C)
    """
    profile = profiles(points, visible, sizes[-1], sigma)
    total = profile.sum(-1).prod(-1) + 1e-8  # (…, K), the sum of the heatmap
    weights = _product(profile @ resampling(maps.shape[-1], *sizes, like=profile))
    weights = weights.flatten(-2) / total[..., None]  # (…, K, h²)
    return weights @ maps.flatten(-2).transpose(-2, -1)


def support_features(
    maps: Tensor, points: Tensor, visible: Tensor, sizes: Sequence[int], sigma: float = 2.0
) -> tuple[Tensor, Tensor]:
    """The supports' features at their keypoints, in the mean over the shots.

    A keypoint takes part where every shot shows it.

    Args:
        maps: (B, S, C, h, h).
        points: (B, S, K, 2).
        visible: (B, S, K) bool.
        sizes, sigma: as of `pool_by_heatmaps`.

    Returns:
        features (B, K, C), zero for keypoints that take no part, and ``mask`` (B, K) bool, those
        that do.
    """
    mask = visible.all(1)
    features = pool_by_heatmaps(maps, points, visible, sizes, sigma).mean(1)
    return features * mask[..., None], mask


def resampling(*sizes: int, like: Tensor) -> Tensor:
    """The matrix (last size, first size) of bilinear resampling along a side, step by step.

    It is that of PyTorch's ``interpolate(…, mode='bilinear', align_corners=False)``.

    Args:
        sizes: the sides, in turn.
        like: a tensor that gives dtype and device.
    """
    matrix = torch.eye(sizes[0], dtype=like.dtype, device=like.device)
    for _, size in pairwise(sizes):  # each column is a signal
        matrix = F.interpolate(matrix.T[None], size=size, mode='linear', align_corners=False)[0].T
    return matrix


def _cells(points: Tensor, size: int) -> Tensor:
    return torch.trunc(points * size + 0.5)


def _product(profiles: Tensor) -> Tensor:
    """The maps (…, H, W) of profiles along x and y (…, 2, …)."""
    x, y = profiles.unbind(-2)
    return y[..., :, None] * x[..., None, :]
