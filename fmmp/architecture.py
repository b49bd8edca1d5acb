"""The settings of a config that the names and shapes of a model's weights tell."""

from __future__ import annotations

import re
from collections.abc import Iterable

from torch import Tensor

# Blocks of a ResNet's stages, and whether they are bottlenecks, to its depth.
_RESNETS = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}


def settings_of(state: dict[str, Tensor]) -> dict[str, object]:
    """Read settings off a state dict.

    Args:
        state: the weights of an FMMP model, or of its backbone with names that begin with
            ``backbone.``; whatever else there is tells nothing.

    Returns:
        Values by the settings' names in a config, such as ``model.backbone.depth``.
    """
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    settings = _backbone(shapes)
    levels = _count('neck.projections', shapes)
    if levels:
        settings['model.neck.in_channels'] = tuple(
            shapes.get(f'neck.projections.{level}.weight', (0, 0))[1]
            for level in reversed(range(levels))
        )
    head, miner = 'keypoint_head', 'keypoint_head.query_miners.0'
    layers = _count(f'{head}.query_miners', shapes)
    if layers:
        settings[f'model.{head}.num_layers'] = layers
        settings[f'model.{head}.mine_support'] = _count(f'{head}.support_miners', shapes) > 0
    for setting, name in (
        ('neck.out_channels', 'neck.projections.0.weight'),
        (f'{head}.embed_dims', f'{head}.point_encoding.mlp.0.weight'),
        (f'{head}.hidden_dims', f'{miner}.fgsa_ffn.0.weight'),
        (
            f"{head}.num_branches (1 if attention='heads' or structure='off')",
            f'{miner}.fgsa.output_bias',
        ),
    ):
        if name in shapes:
            settings[f'model.{setting}'] = shapes[name][0]
    samples = shapes.get(f'{miner}.fgsa.attention_weights.bias')
    branches = shapes.get(f'{miner}.fgsa.output_bias')
    if samples and branches:
        settings[f'model.{head}.num_heads × num_levels × num_points'] = samples[0] // branches[0]
    return settings


def _backbone(shapes: dict[str, tuple[int, ...]]) -> dict[str, object]:
    settings, prefix = {}, 'model.backbone'
    if 'backbone.layer1.0.conv1.weight' in shapes:
        blocks = tuple(_count(f'backbone.layer{stage}', shapes) for stage in range(1, 5))
        bottleneck = 'backbone.layer1.0.conv3.weight' in shapes
        settings[f'{prefix}.type'] = 'ResNet'
        settings[f'{prefix}.depth'] = _RESNETS.get((blocks, bottleneck), f'{blocks} blocks')
        settings[f'{prefix}.base_channels'] = shapes['backbone.layer1.0.conv1.weight'][0]
    elif 'backbone.patch_embed.projection.weight' in shapes:
        stages = range(_count('backbone.stages', shapes))
        settings[f'{prefix}.type'] = 'SwinTransformer'
        settings[f'{prefix}.depths'] = tuple(
            _count(f'backbone.stages.{stage}.blocks', shapes) for stage in stages
        )
        settings[f'{prefix}.embed_dims'] = shapes['backbone.patch_embed.projection.weight'][0]
    return settings


def _count(module: str, names: Iterable[str]) -> int:
    """Number of a module's numbered children."""
    pattern = re.compile(rf'{re.escape(module)}\.(\d+)\.')
    return len({match[1] for match in map(pattern.match, names) if match})
