"""Evidence for an answer: what the images' descriptors say of it, whatever method gave it.

A keypoint k lies at p_k in a support of descriptors f_c, a cell c each, and its answer lies at p in
a query of descriptors g_c. With f_k and g, the descriptors at p_k and at p,

    similarity  s_k = f_k · g
    there       t_k = Σ_{|c - p| < r} softmax_c(T f_k · g_c)     of k's match, what is at the answer
    back        b_k = Σ_{|c - p_k| < r} softmax_c(T g · f_c)     of the answer's match, what is at k
    margin      s_k - max_{j ≠ k} f_j · g                        over the other keypoints

Of several supports, f_k is the mean descriptor and b_k the mean, over those that show k. The shares
are given as log odds, so that calibration is a weighted sum of evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .features import mean_over_shots
from .matching import describe, descriptors_at

TEMPERATURE = 40.0  # T
LEAST_SHARE = 1e-3  # whose log odds stand for those of less, as of more than 0.999
RADIUS = 0.08  # r, sides of the crop: 0.1 of the box's longer side, of which the crop has 1.25


class DescribedSupports(NamedTuple):
    """What evidence needs of an episode's supports.

    Attributes:
        keypoints: (B, K, C), f_k, of unit length; zero of a keypoint that no support shows.
        maps: (B, S, C, H, W), f_c.
        points: (B, S, K, 2), p_k in [0, 1].
        visible: (B, S, K) bool.
    """

    keypoints: Tensor
    maps: Tensor
    points: Tensor
    visible: Tensor


def describe_images(features: Sequence[Tensor]) -> Tensor:
    """A descriptor a cell (B, G, C, H, W), float32, of features, in whichever order of levels."""
    return describe(sorted(features, key=lambda level: -level.shape[-1]))


def describe_supports(
    features: Sequence[Tensor], points: Tensor, visible: Tensor
) -> DescribedSupports:
    """The supports' side of the comparison.

    Args:
        features: maps (B, S, C_l, H_l, W_l).
        points: (B, S, K, 2) in [0, 1].
        visible: (B, S, K) bool.
    """
    maps = describe_images(features)
    keypoints = descriptors_at(points.flatten(0, 1), maps.flatten(0, 1))
    keypoints = mean_over_shots(keypoints.unflatten(0, points.shape[:2]), visible)
    return DescribedSupports(F.normalize(keypoints, dim=-1), maps, points, visible)


def compare(
    supports: DescribedSupports, features: Sequence[Tensor], answers: Tensor
) -> dict[str, Tensor]:
    """Compare the queries at their answers with the supports at their keypoints.

    Args:
        supports: what `describe_supports` gives.
        features: the queries' maps (B, Q, C_l, H_l, W_l).
        answers: (B, Q, K, 2) in [0, 1].

    Returns:
        ``similarity``, s_k in [-1, 1]; the log odds of t_k, ``there``, and of b_k, ``back``; and
        ``margin``, where -1 stands for the similarity to keypoints that no support shows. Each
        (B, Q, K), lowest of a keypoint that no support shows.
    """
    maps = describe_images(features)  # (B, Q, C, H, W)
    found = descriptors_at(answers.flatten(0, 1), maps.flatten(0, 1)).unflatten(0, maps.shape[:2])
    expected = supports.keypoints[:, None]  # (B, 1, K, C)
    there = _mass_near(answers, expected @ maps.flatten(3), maps.shape[-2:])
    back = []
    for shot in range(supports.maps.shape[1]):  # one by one, to need little memory
        size = supports.maps.shape[-2:]
        similarity = found @ supports.maps[:, shot].flatten(2)[:, None]  # (B, Q, K, H·W)
        back.append(_mass_near(supports.points[:, None, shot], similarity, size))
    shown = supports.visible[:, :, None]  # (B, S, 1, K)
    back = (torch.stack(back, dim=1) * shown).sum(1) / shown.sum(1).clamp(min=1)
    seen = supports.visible.any(1)[:, None]  # (B, 1, K)
    similarity = (expected * found).sum(-1)
    others = torch.eye(seen.shape[-1], dtype=torch.bool, device=seen.device) | ~seen[:, :, None]
    others = (found @ expected.transpose(-2, -1)).masked_fill(others, -1.0)  # (B, Q, K, K)
    return {
        'similarity': similarity,
        'there': (there * seen).logit(LEAST_SHARE),
        'back': back.logit(LEAST_SHARE),
        'margin': similarity - others.amax(-1) - 2.0 * ~seen,
    }


def _mass_near(points: Tensor, similarity: Tensor, size: Sequence[int]) -> Tensor:
    """The share of softmax(T · similarity) within r of points.

    The circle's edge is soft, half a cell, so that what is near changes steadily with the point.

    Args:
        points: (…, K, 2) in [0, 1].
        similarity: (…, K, H·W).
        size: (H, W).
    """
    y, x = ((torch.arange(n).to(similarity) + 0.5) / n for n in size)
    cells = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1).flatten(0, 1)  # (H·W, 2)
    distance = (points[..., None, :] - cells).norm(dim=-1)
    near = torch.sigmoid((RADIUS - distance) * 2 * max(size))
    return ((TEMPERATURE * similarity).softmax(-1) * near).sum(-1)
