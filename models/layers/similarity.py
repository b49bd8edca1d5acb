"""How alike a support's keypoints and an image's tokens are, in a space that is learned.

A support keypoint k, of feature f_k and mined embedding e_k, and a token v_c have the similarity

    cos(A f_k + B e_k, C v_c).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import in_float32


class Similarity(nn.Module):
    """Compares keypoints with tokens.

    A and C start as the identity and B at zero, so that it starts by comparing the features
    themselves. All of it is computed in float32.

    Args:
        embed_dims: D.
        temperature: τ at first, by which `forward` multiplies; it is learned.
    """

    def __init__(self, embed_dims: int, temperature: float = 12.0) -> None:
        super().__init__()
        self.key = nn.Linear(embed_dims, embed_dims)  # A
        self.embed_key = nn.Linear(embed_dims, embed_dims, bias=False)  # B
        self.token = nn.Linear(embed_dims, embed_dims)  # C
        for linear in (self.key, self.token):
            nn.init.eye_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.embed_key.weight)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    def forward(self, features: Tensor, embed: Tensor, tokens: Tensor) -> Tensor:
        """τ · cos(A f_k + B e_k, C v_c), (B, K, …) of `cosine`'s arguments."""
        with in_float32(tokens):
            return self.log_temperature.exp() * self.cosine(features, embed, tokens)

    def cosine(self, features: Tensor, embed: Tensor, tokens: Tensor) -> Tensor:
        """Compare each keypoint with each token.

        Args:
            features: (B, K, D), f, the supports' at their keypoints.
            embed: (B, K, D), e.
            tokens: (B, …, D), v.

        Returns:
            (B, K, …)
        """
        # Norms below 1, of keypoints that no support shows, would make gradients without bound.
        key = self.key(features.float()) + self.embed_key(embed.float())
        key = F.normalize(key, dim=-1, eps=1.0)
        token = F.normalize(self.token(tokens.float()), dim=-1)
        return torch.einsum('bkd,b...d->bk...', key, token)
