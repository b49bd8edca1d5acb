"""Matching: keypoints by the similarity of features and a prior on their place, without training.

A keypoint k with support feature f_k is looked for in the query's cells c, of features g_c. Under
the candidate a for the keypoints' prior places, p_ka, cell c has the logit

    z_kac = T · (f_k · g_c - w · |p_ka - c|²).

The candidate of the largest evidence Σ_k logsumexp_c(z_kac) is taken, and a keypoint's answer is
its mean over the cells, weighted by softmax_c(z_kac).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .features import mean_over_shots
from .precision import in_float32


def describe(maps: Sequence[Tensor]) -> Tensor:
    """One descriptor of unit length for every cell of the finest level.

    Args:
        maps: (…, C_l, H_l, W_l), fine to coarse.

    Returns:
        (…, ΣC_l, H_1, W_1)
    """
    size, batch = maps[0].shape[-2:], maps[0].shape[:-3]
    levels = [F.normalize(level.flatten(0, -4).float(), dim=1) for level in maps]
    levels = [F.interpolate(x, size=size, mode='bilinear', align_corners=False) for x in levels]
    return F.normalize(torch.cat(levels, dim=1), dim=1).unflatten(0, batch)


def descriptors_at(points: Tensor, described: Tensor) -> Tensor:
    """The descriptors at points, bilinear, of unit length.

    Args:
        points: (B, K, 2) in [0, 1].
        described: (B, C, H, W).

    Returns:
        (B, K, C)
    """
    grid = 2 * points[:, :, None] - 1
    at_points = F.grid_sample(described, grid, align_corners=False)[..., 0]
    return F.normalize(at_points.transpose(1, 2), dim=-1)


def turned_and_mirrored(points: Tensor, visible: Tensor, turns: int, mirrored: bool) -> Tensor:
    """Candidates for where the keypoints may be, given where they are in the support.

    Args:
        points: (B, K, 2) in [0, 1].
        visible: (B, K) bool.
        turns: the points are turned about the mean of the visible ones by multiples of
            2π / ``turns`` and that mean is put at the image's centre; the first candidate is the
            points as they are.
        mirrored: each also mirrored left to right, behind it.

    Returns:
        (B, A, K, 2)
    """
    weight = visible[..., None].to(points.dtype)
    center = (points * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
    candidates = []
    for number in range(turns):
        angle = 2 * math.pi * number / turns
        cos, sin = math.cos(angle), math.sin(angle)
        turn = points.new_tensor([[cos, -sin], [sin, cos]])
        turned = (points - center) @ turn.T + 0.5 if number else points
        candidates.append(turned)
        if mirrored:
            x, y = turned.unbind(-1)
            candidates.append(torch.stack((1 - x, y), dim=-1))
    return torch.stack(candidates, dim=1)


def match(
    similarity: Tensor,
    candidates: Tensor,
    visible: Tensor,
    temperature: Tensor | float = 40.0,
    prior: Tensor | float = 3.0,
    cost: float = 2.0,
) -> tuple[Tensor, Tensor]:
    """Choose a candidate by evidence, and the keypoints' places under it.

    Args:
        similarity: (B, K, H, W), f_k · g_c.
        candidates: (B, A, K, 2), p_ka; the first is preferred.
        visible: (B, K) bool, the keypoints that give evidence.
        temperature: T.
        prior: w.
        cost: what every candidate but the first loses in evidence.

    Returns:
        The places (B, K, 2) in [0, 1], and the number of the candidate (B,).
    """
    height, width = similarity.shape[-2:]
    x, y = ((torch.arange(n).to(similarity) + 0.5) / n for n in (width, height))
    # exp(z) is a product: of the similarity's part, and of the prior's in x and in y. So sums over
    # the cells are matrix products, and the logits of all candidates are never made.
    logits = temperature * similarity
    peak = logits.detach().amax((-2, -1), keepdim=True)
    looks = (logits - peak).exp()  # (B, K, H, W)
    # Less the nearest cell's, since all of a place far outside the image would come to zero.
    from_x, from_y = (
        -temperature * prior * (candidates[..., axis, None] - cells).square().transpose(1, 2)
        for axis, cells in ((0, x), (1, y))
    )  # (B, K, A, W) and (B, K, A, H)
    nearest_x, nearest_y = (part.detach().amax(-1, keepdim=True) for part in (from_x, from_y))
    prior_x, prior_y = (from_x - nearest_x).exp(), (from_y - nearest_y).exp()
    rows = prior_x @ looks.transpose(-2, -1)  # (B, K, A, H), sums along x
    mass = (rows * prior_y).sum(-1).clamp(min=torch.finfo(rows.dtype).tiny)  # (B, K, A)
    evidence = mass.log() + peak[..., 0] + (nearest_x + nearest_y)[..., 0]
    evidence = evidence * visible[..., None]
    evidence = evidence.sum(1) - cost * (torch.arange(mass.shape[-1]).to(mass) > 0)
    best = evidence.argmax(-1)

    def chosen(values: Tensor) -> Tensor:  # (B, K, A, …) to (B, K, …)
        return values[torch.arange(best.shape[0], device=best.device), :, best]

    total = chosen(mass)
    mean_y = (chosen(rows) * chosen(prior_y)) @ y / total
    columns = (looks * chosen(prior_y)[..., None]).sum(-2)  # (B, K, W), sums along y
    mean_x = (columns * chosen(prior_x)) @ x / total
    return torch.stack((mean_x, mean_y), dim=-1), best


class MatchedSupports(NamedTuple):
    """What matching needs of an episode's supports.

    Attributes:
        descriptors: (B, K, C), f_k, of unit length.
        candidates: (B, A, K, 2), p_ka.
        visible: (B, K) bool, in a support at least.
    """

    descriptors: Tensor
    candidates: Tensor
    visible: Tensor


class Matcher(nn.Module):
    """Finds keypoints by matching descriptors.

    Several supports give the mean of their descriptors and of their places. All of it is computed
    in float32.

    Args:
        temperature: T.
        prior: w.
        turns: of the candidates, see `turned_and_mirrored`; with ``turns=1, mirrored=False`` they
            are the support's places alone.
        mirrored: of the candidates, likewise.
        cost: evidence that a candidate other than the support's own places loses.
        learned: train T and w, from these values on.
    """

    def __init__(
        self,
        temperature: float = 40.0,
        prior: float = 3.0,
        turns: int = 8,
        mirrored: bool = True,
        cost: float = 2.0,
        learned: bool = False,
    ) -> None:
        super().__init__()
        self.turns, self.mirrored, self.cost = turns, mirrored, cost
        values = {'log_temperature': math.log(temperature), 'log_prior': math.log(prior)}
        for name, value in values.items():
            value = torch.tensor(value)
            if learned:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value, persistent=False)

    def encode_supports(
        self, described: Tensor, points: Tensor, visible: Tensor
    ) -> MatchedSupports:
        """Descriptors and prior places of the supports' keypoints.

        Args:
            described: (B, S, C, H, W), what `describe` gives.
            points: (B, S, K, 2) in [0, 1].
            visible: (B, S, K) bool.
        """
        found = visible.any(1)
        shown = visible | ~found[:, None]  # of one that no support shows, its place all the same
        descriptors = descriptors_at(points.flatten(0, 1), described.flatten(0, 1).float())
        descriptors = mean_over_shots(descriptors.unflatten(0, points.shape[:2]), shown)
        places = mean_over_shots(points, shown)
        return MatchedSupports(
            F.normalize(descriptors, dim=-1),
            turned_and_mirrored(places, found, self.turns, self.mirrored),
            found,
        )

    def similarity(self, supports: MatchedSupports, described: Tensor) -> Tensor:
        """f_k · g_c of every query.

        Args:
            supports: what `encode_supports` gives.
            described: (B, Q, C, H, W).

        Returns:
            (B, Q, K, H, W)
        """
        with in_float32(described):
            similarity = supports.descriptors[:, None] @ described.float().flatten(3)
        return similarity.unflatten(-1, described.shape[-2:])

    def forward(self, supports: MatchedSupports, similarity: Tensor) -> Tensor:
        """Match queries with their supports.

        Args:
            supports: what `encode_supports` gives.
            similarity: (B, Q, K, H, W), what `similarity` gives.

        Returns:
            (B, Q, K, 2) in [0, 1]
        """
        batch, queries = similarity.shape[:2]
        with in_float32(similarity):
            points, _ = match(
                similarity.flatten(0, 1),
                supports.candidates.repeat_interleave(queries, dim=0),
                supports.visible.repeat_interleave(queries, dim=0),
                self.log_temperature.exp(),
                self.log_prior.exp(),
                self.cost,
            )
        return points.unflatten(0, (batch, queries))
