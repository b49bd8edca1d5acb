"""Matching: keypoints by the similarity of features and a prior on their place.

A keypoint k with support feature f_k is looked for in the query's cells c, of features g_c. Under
the candidate a for the keypoints' prior places, p_ka, cell c has the logit

    z_kac = T · (f_k · g_c - w · |p_ka - c|²).

The candidate of the largest evidence Σ_k logsumexp_c(z_kac) is taken, and a keypoint's answer is
its mean over the cells, weighted by softmax_c(z_kac).

Of several supports, f_k and p_k are weighted means, since one that is like the query tells more:
with e_s the evidence, divided by the keypoints, of the support s matched by itself, its weight is
softmax_s(e_s / 2) over those that show k. Its places are those of the candidate that it takes by
itself, so that supports that are turned otherwise go together.

Descriptors may be projected, g ← (I + A) g / |(I + A) g|, by a matrix A that was learned
(`expected_accuracy`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import in_float32

SHARPNESS = 0.5  # of the supports' weights


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


def project(described: Tensor, matrix: Tensor) -> Tensor:
    """Descriptors (…, C, H, W) as (I + A) g, of unit length.

    Args:
        described: what `describe` gives.
        matrix: (C, C), A.
    """
    with in_float32(described):
        identity = torch.eye(len(matrix), device=matrix.device)
        # One product: with the sum apart it takes as long again.
        moved = (identity + matrix) @ described.float().flatten(-2)
        return F.normalize(moved, dim=-2).view_as(described)


def square_distances(points: Tensor, size: Sequence[int]) -> Tensor:
    """Squared distances of points (…, 2) in [0, 1] to the cells of a map of H, W: (…, H, W)."""
    x, y = ((torch.arange(n).to(points) + 0.5) / n for n in reversed(size))
    to_x, to_y = points[..., 0, None] - x, points[..., 1, None] - y
    return to_y[..., None].square() + to_x[..., None, :].square()


def expected_accuracy(logits: Tensor, points: Tensor, radii: Sequence[float]) -> Tensor:
    """How much of a keypoint's softmax over the cells lies near the truth: its expected PCK.

    It never asks for more than a keypoint can give: one that cannot be found costs what any wrong
    answer does, and nothing is won by answers between two places.

    Args:
        logits: (…, K, H, W), z_kc.
        points: (…, K, 2) in [0, 1], the truth.
        radii: PCK's thresholds, in sides of the image; the mean over them counts. Each falls from
            one to zero over a cell, so that the gradient knows where it is.

    Returns:
        (…, K) in [0, 1].
    """
    size = logits.shape[-2:]
    distance = square_distances(points, size).sqrt()
    near = sum(((r - distance) * size[0] + 0.5).clamp(0, 1) for r in radii) / len(radii)
    return (near * logits.flatten(-2).softmax(-1).view_as(logits)).sum((-2, -1))


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


class Match(NamedTuple):
    """What matching finds.

    Attributes:
        points: (B, K, 2) in [0, 1], the answers.
        places: (B, K, 2), the prior places of the candidate that is taken.
        evidence: (B,), its evidence, the sum over the keypoints that give any.
    """

    points: Tensor
    places: Tensor
    evidence: Tensor


def match(
    similarity: Tensor,
    candidates: Tensor,
    visible: Tensor,
    temperature: Tensor | float = 40.0,
    prior: Tensor | float = 3.0,
    cost: float = 2.0,
) -> Match:
    """Choose a candidate by evidence, and the keypoints' places under it.

    Args:
        similarity: (B, K, H, W), f_k · g_c.
        candidates: (B, A, K, 2), p_ka; the first is preferred.
        visible: (B, K) bool, the keypoints that give evidence.
        temperature: T.
        prior: w.
        cost: what every candidate but the first loses in evidence.

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
    evidence = (evidence * visible[..., None]).sum(1)
    best = (evidence - cost * (torch.arange(mass.shape[-1]).to(mass) > 0)).argmax(-1)

    def chosen(values: Tensor) -> Tensor:  # (B, K, A, …) to (B, K, …)
        return values[torch.arange(best.shape[0], device=best.device), :, best]

    # Of the one that is chosen the logits are made: the product comes to zero where looks and prior
    # are far apart at a high temperature.
    logits = logits + chosen(from_x)[..., None, :] + chosen(from_y)[..., None]
    share = logits.flatten(-2).softmax(-1).view_as(logits)
    mean_x, mean_y = share.sum(-2) @ x, share.sum(-1) @ y
    places = candidates[torch.arange(best.shape[0], device=best.device), best]
    evidence = evidence.gather(1, best[:, None])[:, 0]
    return Match(torch.stack((mean_x, mean_y), dim=-1), places, evidence)


class MatchedSupports(NamedTuple):
    """What matching needs of an episode's supports.

    Attributes:
        descriptors: (B, S, K, C), f_k of each, of unit length.
        points: (B, S, K, 2), where they are.
        visible: (B, S, K) bool.
    """

    descriptors: Tensor
    points: Tensor
    visible: Tensor


class MatchedQueries(NamedTuple):
    """Queries, compared with their supports.

    Attributes:
        similarity: (B, Q, K, H, W), f_k · g_c.
        candidates: (B, Q, A, K, 2), p_ka.
        visible: (B, K) bool, in a support at least.
    """

    similarity: Tensor
    candidates: Tensor
    visible: Tensor


class Matcher(nn.Module):
    """Finds keypoints by matching descriptors.

    All of it is computed in float32.

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
        """The supports' descriptors at their keypoints.

        Args:
            described: (B, S, C, H, W), what `describe` gives.
            points: (B, S, K, 2) in [0, 1].
            visible: (B, S, K) bool.
        """
        descriptors = descriptors_at(points.flatten(0, 1), described.flatten(0, 1).float())
        return MatchedSupports(descriptors.unflatten(0, points.shape[:2]), points, visible)

    def compare(self, supports: MatchedSupports, described: Tensor) -> MatchedQueries:
        """Compare queries with their supports: what `forward` takes.

        Args:
            supports: what `encode_supports` gives.
            described: (B, Q, C, H, W).
        """
        with in_float32(described):
            cells = described.float().flatten(3)
            found = supports.visible.any(1)
            shown = supports.visible | ~found[:, None]  # of one that none shows, its place anyway
            evidence, places = self._alone(supports, cells, described.shape[-2:])
            evidence = evidence[..., None].masked_fill(~shown[:, None], -math.inf)
            weights = (SHARPNESS * evidence).softmax(2)  # (B, Q, S, K)
            weights = weights[..., None]
            descriptors = (weights * supports.descriptors[:, None]).sum(2)
            similarity = F.normalize(descriptors, dim=-1) @ cells
            points = (weights * places).sum(2)
            candidates = turned_and_mirrored(
                points.flatten(0, 1),
                found.repeat_interleave(points.shape[1], dim=0),
                self.turns,
                self.mirrored,
            ).unflatten(0, points.shape[:2])
            candidates = candidates.expand(-1, described.shape[1], -1, -1, -1)
        size = described.shape[-2:]
        return MatchedQueries(similarity.unflatten(-1, size), candidates, found)

    def _alone(
        self, supports: MatchedSupports, cells: Tensor, size: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """What each support finds by itself; of only one, nothing is to be found out.

        Returns:
            e_s for each query, (B, Q, S), and the prior places that it takes, (B, Q, S, K, 2).
        """
        batch, shots, _ = supports.visible.shape
        queries, given = cells.shape[1], supports.points[:, None]
        if shots == 1 and not torch.compiler.is_exporting():
            return cells.new_zeros(batch, 1, 1), given
        visible = supports.visible.flatten(0, 1)
        candidates = turned_and_mirrored(
            supports.points.flatten(0, 1), visible, self.turns, self.mirrored
        )
        similarity = (supports.descriptors[:, :, None] @ cells[:, None]).unflatten(-1, size)
        _, places, evidence = self._match(
            similarity.flatten(0, 2),
            candidates.repeat_interleave(queries, dim=0),
            visible.repeat_interleave(queries, dim=0),
        )
        shape = (batch, shots, queries)
        evidence = evidence.unflatten(0, shape) / supports.visible.sum(-1)[..., None].clamp(min=1)
        is_only = supports.visible.any(-1).sum(1) == 1
        places = places.unflatten(0, shape).transpose(1, 2)
        places = torch.where(is_only[:, None, None, None, None], given, places)
        return evidence.transpose(1, 2), places

    def forward(self, matched: MatchedQueries) -> Tensor:
        """The answers, (B, Q, K, 2) in [0, 1], of what `compare` gives."""
        return self._matched(matched).points.unflatten(0, matched.similarity.shape[:2])

    def shares(self, matched: MatchedQueries) -> Tensor:
        """What each cell counts in the answers, which are the mean over the cells.

        Returns:
            (B, Q, K, H, W), softmax_c(z_kac) of the candidate that is taken.
        """
        return self.logits(matched).flatten(-2).softmax(-1).view_as(matched.similarity)

    def logits(self, matched: MatchedQueries) -> Tensor:
        """z_kac of the candidate that is taken, (B, Q, K, H, W)."""
        similarity = matched.similarity
        with torch.no_grad():
            places = self._matched(matched).places.unflatten(0, similarity.shape[:2])
        distance = square_distances(places, similarity.shape[-2:])
        return self.log_temperature.exp() * (similarity - self.log_prior.exp() * distance)

    def _matched(self, matched: MatchedQueries) -> Match:
        queries = matched.similarity.shape[1]
        return self._match(
            matched.similarity.flatten(0, 1),
            matched.candidates.flatten(0, 1),
            matched.visible.repeat_interleave(queries, dim=0),
        )

    def _match(self, similarity: Tensor, candidates: Tensor, visible: Tensor) -> Match:
        with in_float32(similarity):
            return match(
                similarity,
                candidates,
                visible,
                self.log_temperature.exp(),
                self.log_prior.exp(),
                self.cost,
            )
