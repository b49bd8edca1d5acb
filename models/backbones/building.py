"""Building backbones of MMPose's registry, and what they give."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmpose.models import builder
from torch import Tensor, nn

from fmmp.errors import InputError

from .pretrained import load_pretrained


def backbone_maps(backbone: nn.Module, imgs: Tensor) -> Sequence[Tensor]:
    """The maps (B, C_l, H_l, W_l) that a backbone gives; MMPose's give a single one as it is."""
    maps = backbone(imgs)
    return [maps] if isinstance(maps, Tensor) else maps


def build_backbone(settings: dict, pretrained: str | None = None) -> nn.Module:
    """Build a backbone, with fresh weights or those that it is to start from.

    Args:
        settings: its config, ``model.backbone``.
        pretrained: ``model.pretrained``.

    Raises:
        InputError: the settings name weights that the backbone would load by itself, or that it
            keeps though it is to start from others.
    """
    for key in ('pretrained', 'init_cfg'):  # backbones' own loading may run a file's code
        if settings.get(key):
            raise InputError(f'model.backbone.{key}: name the file as model.pretrained instead')
    backbone = builder.build_backbone(settings)
    backbone.init_weights()
    if pretrained is not None:
        if getattr(backbone, 'weights', None):
            raise InputError(
                f'model.pretrained is {pretrained!r}, and the backbone keeps its '
                'model.backbone.weights: set model.pretrained=None'
            )
        load_pretrained(backbone, pretrained)
    return backbone


def stage_channels(backbone: nn.Module) -> tuple[int, ...]:
    """Channels of the maps that a backbone gives, fine to coarse."""
    if hasattr(backbone, 'out_channels'):
        return tuple(backbone.out_channels)
    was_training = backbone.training
    backbone.eval()
    with torch.no_grad():
        maps = backbone_maps(backbone, torch.zeros(1, 3, 64, 64))
    backbone.train(was_training)
    return tuple(level.shape[1] for level in maps)
