"""Local matching: a layer that compares the query around its current points with the supports.

A support keypoint k, of feature f_k and mined embedding e_k, is compared with every cell c of the
query's finest level, of tokens v_c (``similarity.py``):

    s_kc = τ · cos(A f_k + B e_k, C v_c) + τ₀ · cos(f⁰_k, g⁰_c),

the second term being what its starting point was matched by, if it was (``matching.py``). Around
the point p_k where the query's keypoint is taken to be, in a window of radius r,

    p_k ← p_k + r Σ_g softmax_g(s_k(p_k + r g) - w |g|²) g,

where g runs over a grid in [-1, 1]² and s_k is read between its cells bilinearly.

The looks of some keypoints tell more than their places, and of others less. So w, τ and τ₀ may be
each keypoint's own, their logarithms being

    log w + u_0 · e_k,  log τ + u_1 · e_k,  log τ₀ + u_2 · e_k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .features import read_at
from .precision import in_float32
from .similarity import Similarity


class LocalMatch(Similarity):
    """Moves the query's points to where a window around them matches the supports' keypoints.

    u starts at zero. All of it is computed in float32.

    Args:
        embed_dims: D.
        radius: r, in sides of the image.
        start: whether what the starting points are matched by joins, with τ₀.
        own_weights: whether w, τ and τ₀ are each keypoint's own.
        cells: the grid's points along a side.
        temperature: τ and τ₀ at first; they are learned.
        prior: w at first; it is learned.
    """

    def __init__(
        self,
        embed_dims: int,
        radius: float,
        start: bool = False,
        own_weights: bool = False,
        cells: int = 7,
        temperature: float = 12.0,
        prior: float = 1.0,
    ) -> None:
        super().__init__(embed_dims, temperature)
        self.radius = radius
        self.log_start_temperature = None
        if start:
            self.log_start_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.log_prior = nn.Parameter(torch.tensor(math.log(prior)))
        self.own_weights = None
        if own_weights:
            self.own_weights = nn.Linear(embed_dims, 2 + start, bias=False)  # u
            nn.init.zeros_(self.own_weights.weight)
        side = torch.linspace(-1, 1, cells)
        window = torch.cartesian_prod(side, side)
        self.register_buffer('window', window, persistent=False)

    def forward(
        self,
        features: Tensor,
        embed: Tensor,
        points: Tensor,
        tokens: Tensor,
        start_similarity: Tensor | None = None,
    ) -> Tensor:
        """Move the points.

        Args:
            features: (B, K, D), f, the supports' at their keypoints.
            embed: (B, K, D), e.
            points: (B, K, 2), p, in [0, 1].
            tokens: (B, H, W, D), v, the query's finest level.
            start_similarity: (B, K, H, W), cos(f⁰, g⁰), if it joins.

        Returns:
            (B, K, 2), within r of ``points``.
        """
        shares = self.shares(features, embed, points, tokens, start_similarity)
        with in_float32(points):
            return points + self.radius * shares @ self.window

    def look(self, features: Tensor, embed: Tensor, points: Tensor, *others: Tensor) -> Tensor:
        """The window's places and what each counts, (B, K, G, 3), of `forward`'s arguments."""
        shares = self.shares(features, embed, points, *others)
        places = points[:, :, None] + self.radius * self.window
        return torch.cat([places, shares[..., None]], dim=-1)

    def shares(
        self,
        features: Tensor,
        embed: Tensor,
        points: Tensor,
        tokens: Tensor,
        start_similarity: Tensor | None = None,
    ) -> Tensor:
        """What each place of the window counts in the move, (B, K, G), of `forward`'s arguments."""
        with in_float32(points):
            prior, temperature, *start = self._weights(embed)
            similarity = temperature[..., None] * self.cosine(features, embed, tokens)
            if start:
                similarity = similarity + start[0][..., None] * start_similarity
            places = points[:, :, None] + self.radius * self.window  # (B, K, G, 2)
            logits = read_at(places, similarity) - prior * self.window.square().sum(-1)
            return logits.softmax(-1)

    def _weights(self, embed: Tensor) -> Sequence[Tensor]:
        """w, τ and, if it joins, τ₀: (1,), or each keypoint's own, (B, K, 1)."""
        logs = [self.log_prior, self.log_temperature, self.log_start_temperature]
        logs = torch.stack([log for log in logs if log is not None])
        if self.own_weights is not None:
            logs = logs + self.own_weights(embed.float())
        return logs.exp()[..., None].unbind(-2)
