"""Matching of a backbone's features: without training, a second floor beside copying."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmpose.models.builder import POSENETS
from torch import Tensor

from fmmp.errors import CheckpointError, InputError

from ..backbones.building import backbone_maps, stage_channels
from ..backbones.sources import read_weights
from ..episode import Episode
from ..layers.matching import MatchedSupports, Matcher, describe, project
from ..layers.samples import Samples, strongest
from .base import EpisodeDetector, Features


@POSENETS.register_module()
class FeatureMatching(EpisodeDetector):
    """Finds keypoints by the similarity of features and a prior on their place.

    See `fmmp.models.layers.matching` for the equations.

    Args:
        backbone: config of a backbone, frozen, that gives maps fine to coarse.
        levels: which of these are used, ascending [all].
        matcher: arguments of `Matcher`: temperature, prior and its candidates.
        remove_position_bias: subtract from each level what it gives at each place for images of
            noise, in the mean; the features of vision transformers hold their place in the image.
        projection: a file, safetensors, of the matrix A that descriptors are projected by, as
            `LearnedMatching` learns it [none].
        others: further arguments of `EpisodeDetector`.

    Raises:
        CheckpointError: the projection's file is missing, damaged or of another backbone.
        InputError: levels that the backbone does not give, or not fine to coarse.
    """

    trainable: ClassVar[bool] = False
    takes_neck: ClassVar[bool] = False

    def __init__(
        self,
        backbone: dict,
        levels: Sequence[int] | None = None,
        matcher: dict | None = None,
        remove_position_bias: bool = False,
        projection: str | Path | None = None,
        **others: Any,
    ) -> None:
        super().__init__(backbone, **others)
        self.matcher = Matcher(**(matcher or {}))
        self.requires_grad_(False)
        count = len(stage_channels(self.backbone))
        if levels is not None and list(levels) != [n for n in range(count) if n in levels]:
            raise InputError(f'levels is {levels!r}: choose of {list(range(count))}, ascending')
        self.levels = levels
        matrix = None if projection is None else read_projection(projection, self.channels)
        self.register_buffer('projection', matrix, persistent=False)
        self.remove_position_bias = remove_position_bias
        self._bias_of = {}  # by the images' size

    def train(self, mode: bool = True) -> FeatureMatching:
        """Set the mode, of all but the backbone: its running means stay, as the weights do."""
        super().train(mode)
        self.backbone.eval()
        return self

    def image_features(self, imgs: Tensor) -> Features:
        """One map of descriptors of unit length, (B, C, H, W)."""
        maps = self._maps(imgs)
        if self.remove_position_bias:
            maps = [level - bias for level, bias in zip(maps, self._bias(imgs), strict=True)]
        described = describe(maps)
        return [described if self.projection is None else project(described, self.projection)]

    def encode_supports(self, features: Features, supports: Episode) -> MatchedSupports:
        """The supports' descriptors at their keypoints."""
        return self.matcher.encode_supports(features[0], supports.points, supports.visible)

    def decode(self, state: MatchedSupports, features: Features) -> Tensor:
        """Match every query: (B, Q, 1, K, 2)."""
        return self.matcher(self.matcher.compare(state, features[0]))[:, :, None]

    def samples(self, state: MatchedSupports, features: Features) -> Samples:
        """The query's cells that count most in the answer, which is their weighted mean."""
        shares = self.matcher.shares(self.matcher.compare(state, features[0]))
        y, x = ((torch.arange(n).to(shares) + 0.5) / n for n in shares.shape[-2:])
        cells = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1).flatten(0, 1)
        cells = cells.expand(*shares.shape[:3], -1, -1)
        return Samples(strongest(torch.cat([cells, shares.flatten(-2)[..., None]], dim=-1)))

    @property
    def channels(self) -> int:
        """C, of a descriptor."""
        channels = stage_channels(self.backbone)
        return sum(channels[level] for level in self.levels or range(len(channels)))

    def _maps(self, imgs: Tensor) -> list[Tensor]:
        maps = backbone_maps(self.backbone, imgs)
        return [maps[level] for level in self.levels or range(len(maps))]

    def _bias(self, imgs: Tensor, count: int = 16) -> list[Tensor]:
        """Each level's mean over images of noise, (1, C_l, H_l, W_l)."""
        key = imgs.shape[-2:], imgs.device
        if key not in self._bias_of:
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(count, 3, *imgs.shape[-2:], generator=generator).to(imgs)
            with torch.no_grad():
                self._bias_of[key] = [level.mean(0, keepdim=True) for level in self._maps(noise)]
        return self._bias_of[key]


def read_projection(file: str | Path, channels: int) -> Tensor:
    """The matrix A of a projection's file, (C, C).

    Raises:
        CheckpointError: it is missing, damaged, or of descriptors of another size.
    """
    if not Path(file).is_file():
        raise CheckpointError(f'{file}: no such file: name what tools/projection.py has written')
    weights = read_weights(Path(file))
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise CheckpointError(f'{file} holds numbers that are not finite: fetch it again')
    shape = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if shape != {'projection': (channels, channels)}:
        raise CheckpointError(
            f'{file} holds {shape}, and the descriptors want a projection of {(channels, channels)}'
        )
    return weights['projection'].float()
