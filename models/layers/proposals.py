"""Proposals: where an image resembles each keypoint (CapeFormer, the first stage)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .initialization import xavier


class Proposals(NamedTuple):
    """What the first stage finds.

    Attributes:
        similarity: (B, K, H, W), s.
        everywhere: (B, K, 2) in [0, 1], the mean place over all cells, weighted by the softmax of
            s; the global proposal, which a loss alone reads.
        at_peak: (B, K, 2) in [0, 1], the mean place over the cells around the largest s: the local
            proposal, c_0, from which the second stage starts.
    """

    similarity: Tensor
    everywhere: Tensor
    at_peak: Tensor


class ProposalGenerator(nn.Module):
    """Compares keypoints with the image's cells.

    With R a keypoint's token and M a cell's:

        a = W_s R;  a' = a ⊙ (1 + tanh(W_2 relu(W_1 a)));  s = (W_q M) · a'

    Args:
        embed_dims: D.
        hidden_dims: width between W_1 and W_2.
    """

    def __init__(self, embed_dims: int = 256, hidden_dims: int = 128) -> None:
        super().__init__()
        self.support_projection = nn.Linear(embed_dims, embed_dims)
        self.query_projection = nn.Linear(embed_dims, embed_dims)
        self.dynamic = nn.Sequential(
            nn.Linear(embed_dims, hidden_dims), nn.ReLU(), nn.Linear(hidden_dims, embed_dims)
        )
        xavier(self)

    def forward(self, keypoints: Tensor, memory: Tensor, size: tuple[int, int]) -> Proposals:
        """Compare, and find the keypoints' places.

        Args:
            keypoints: (B, K, D), R.
            memory: (B, H·W, D), M, row by row.
            size: H and W.
        """
        a = self.support_projection(keypoints)
        a = a * (1 + self.dynamic(a).tanh())
        similarity = (a @ self.query_projection(memory).transpose(1, 2)).unflatten(-1, size)
        return Proposals(similarity, *places(similarity))


def places(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """The mean place of the cells, weighted by the softmax of their similarity.

    Args:
        similarity: (B, K, H, W).

    Returns:
        (B, K, 2) in [0, 1] over all cells, and over the 3 × 3 cells around the largest similarity,
        as far as they are in the image.
    """
    height, width = similarity.shape[-2:]
    weights = similarity.flatten(-2).softmax(-1)  # (B, K, H·W)
    row, column = (axis.flatten() for axis in _cells(height, width, similarity.device))
    size = torch.tensor([width, height], device=similarity.device)
    centers = ((torch.stack((column, row), dim=-1) + 0.5) / size).to(weights.dtype)

    peak = similarity.flatten(-2).argmax(-1, keepdim=True)  # (B, K, 1)
    near = ((row - row[peak]).abs() <= 1) & ((column - column[peak]).abs() <= 1)
    at_peak = weights * near
    return weights @ centers, at_peak @ centers / (at_peak.sum(-1, keepdim=True) + 1e-10)


def _cells(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    rows, columns = (torch.arange(n, device=device) for n in (height, width))
    return torch.meshgrid(rows, columns, indexing='ij')
