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
        unit_scale: divide each image's stage by its root mean square first. The stages of a frozen
            backbone come in sizes of their own, which the projections else begin with.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int = 256, unit_scale: bool = False
    ) -> None:
        super().__init__()
        self.unit_scale = unit_scale
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
        if self.unit_scale:
            stages = [stage / root_mean_square(stage) for stage in stages]
        levels = []
        for stage, projection in zip(reversed(stages), self.projections, strict=True):
            level = projection(stage)
            if levels:
                level = level + F.interpolate(levels[-1], size=level.shape[-2:], mode='nearest')
            levels.append(level)
        return levels


def root_mean_square(maps: Tensor) -> Tensor:
    """Each image's, over channels and places: (B, C, H, W) gives (B, 1, 1, 1)."""
    return maps.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-6)
