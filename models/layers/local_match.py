"""Local matching: a layer that compares the query around its current points with the supports.

A support keypoint k, of feature f_k and mined embedding e_k, is compared with every cell c of the
query's finest level, of tokens v_c:

    s_kc = τ · cos(A f_k + B e_k, C v_c) + τ₀ · cos(f⁰_k, g⁰_c),

the second term being what its starting point was matched by, if it was (``matching.py``). Around
the point p_k where the query's keypoint is taken to be, in a window of radius r,

    p_k ← p_k + r Σ_g softmax_g(s_k(p_k + r g) - w |g|²) g,

where g runs over a grid in [-1, 1]² and s_k is read between its cells bilinearly.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import in_float32


class LocalMatch(nn.Module):
    """Moves the query's points to where a window around them matches the supports' keypoints.

    A and C start as the identity and B at zero, so that it starts by comparing the features
    themselves. All of it is computed in float32.

    Args:
        embed_dims: D.
        radius: r, in sides of the image.
        start: whether what the starting points are matched by joins, with τ₀.
        cells: the grid's points along a side.
        temperature: τ and τ₀ at first; they are learned.
        prior: w at first; it is learned.
    """

    def __init__(
        self,
        embed_dims: int,
        radius: float,
        start: bool = False,
        cells: int = 7,
        temperature: float = 12.0,
        prior: float = 1.0,
    ) -> None:
        super().__init__()
        self.radius = radius
        self.key = nn.Linear(embed_dims, embed_dims)  # A
        self.embed_key = nn.Linear(embed_dims, embed_dims, bias=False)  # B
        self.token = nn.Linear(embed_dims, embed_dims)  # C
        for linear in (self.key, self.token):
            nn.init.eye_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.embed_key.weight)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.log_start_temperature = None
        if start:
            self.log_start_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.log_prior = nn.Parameter(torch.tensor(math.log(prior)))
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
        with in_float32(points):
            features, embed, tokens = features.float(), embed.float(), tokens.float()
            # Norms below 1, of keypoints that no support shows, would make gradients without bound.
            key = F.normalize(self.key(features) + self.embed_key(embed), dim=-1, eps=1.0)
            token = F.normalize(self.token(tokens), dim=-1)
            cosine = torch.einsum('bkd,bhwd->bkhw', key, token)
            similarity = self.log_temperature.exp() * cosine
            if self.log_start_temperature is not None:
                similarity = similarity + self.log_start_temperature.exp() * start_similarity
            places = points[:, :, None] + self.radius * self.window  # (B, K, G, 2)
            logits = read_at(places, similarity)
            logits = logits - self.log_prior.exp() * self.window.square().sum(-1)
            return points + self.radius * logits.softmax(-1) @ self.window


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
