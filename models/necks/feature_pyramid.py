"""The neck: the backbone's stages as one sequence of image tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpose.models.builder import NECKS
from torch import Tensor, nn


@NECKS.register_module()
class FeaturePyramid(nn.Module):
    """Projects each stage to D channels and adds to it the next coarser level, upsampled.

    Level 0 is the coarsest stage. The result is a sequence of tokens, coarse to fine, as the head
    reads it.

    Args:
        in_channels: of the backbone's stages, fine to coarse, as the backbone gives them.
        out_channels: D.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(channels, out_channels, kernel_size=1) for channels in reversed(in_channels)
        )

    def init_weights(self) -> None:
        """Xavier-uniform weights, zero biases."""
        for projection in self.projections:
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(self, stages: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, int]]]:
        """Turn the stages' maps (B, C_i, H_i, W_i), fine to coarse, into tokens.

        Returns:
            tokens (B, N, D), and each level's (height, width), coarse to fine; N is the sum of
            their products.
        """
        levels = []
        for stage, projection in zip(reversed(stages), self.projections, strict=True):
            level = projection(stage)
            if levels:
                level = level + F.interpolate(levels[-1], size=level.shape[-2:], mode='nearest')
            levels.append(level)
        tokens = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
        return tokens, [tuple(level.shape[-2:]) for level in levels]
