"""The neck: the backbone's stages as a pyramid of one width."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmpose.models.builder import NECKS
from torch import Tensor, nn


@NECKS.register_module()
class FeaturePyramid(nn.Module):
    """Projects each stage to D channels and adds to it the next coarser level, upsampled.

    The levels come out coarse to fine.

    Args:
        in_channels: of the backbone's stages, fine to coarse, as the backbone gives them.
        out_channels: D.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.num_levels = len(in_channels)
        self.projections = nn.ModuleList(
            nn.Conv2d(channels, out_channels, kernel_size=1) for channels in reversed(in_channels)
        )
        for projection in self.projections:
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """Turn the stages' maps (B, C_i, H_i, W_i), fine to coarse, into levels.

        Returns:
            maps (B, D, H_l, W_l), coarse to fine.
        """
        levels = []
        for stage, projection in zip(reversed(stages), self.projections, strict=True):
            level = projection(stage)
            if levels:
                level = level + F.interpolate(levels[-1], size=level.shape[-2:], mode='nearest')
            levels.append(level)
        return levels
