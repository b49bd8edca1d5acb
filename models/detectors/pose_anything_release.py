"""The names of the checkpoints that PoseAnything's authors released."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from fmmp.errors import CheckpointError

from .capeformer_release import HEAD_NAMES
from .release import Release, State, rename

IMAGE_SIZE, WINDOW = 256, 16

_LAYER = ('keypoint_head.transformer.decoder.layers.{}.', 'keypoint_head.decoder.{}.')
_FFN = (  # in place of CapeFormer's linear1 and linear2
    ('ffn1.conv.', 'ffn.first.project.'),
    ('ffn2.conv.', 'ffn.second.project.'),
)
_FFN_OF_GRAPH = (('ffn1.', 'ffn.first.'), ('ffn2.', 'ffn.second.'))
_FFN_OF_NONE = (('ffn1.', 'ffn.0.'), ('ffn2.', 'ffn.3.'))
_BACKBONE = (
    *(  # the release merges patches at a stage's end, timm at the next one's start
        (f'backbone.layers.{i}.downsample.', f'backbone.model.layers.{i + 1}.downsample.')
        for i in range(3)
    ),
    ('backbone.head.', 'backbone.model.head.fc.'),
    ('backbone.', 'backbone.model.'),
)
_TABLE = re.compile(
    r'backbone\.layers\.(\d)\.blocks\.(\d+)\.'
    r'(attn\.relative_coords_table|attn\.relative_position_index|attn_mask)'
)


class PoseAnythingRelease(Release):
    """The release holds constants of Swin V2, which are computed, and a classifier of no use."""

    carried = ('backbone.model.head.',)

    def is_released(self, state: State) -> bool:
        """Whether the names are the release's."""
        return _has(state, 'backbone.patch_embed.', 'keypoint_head.transformer.proposal_generator.')

    def is_ours(self, state: State) -> bool:
        """Whether the names are ours, with a Swin Transformer V2 as the backbone."""
        return _has(state, 'backbone.model.patch_embed.', 'keypoint_head.proposals.')

    def to_ours(self, state: State) -> State:
        """Rename the release's tensors to ours; its constants are compared with what they must be.

        Raises:
            CheckpointError: a tensor has no counterpart, or a constant is another.
        """
        names = _names(any('.ffn1.conv.' in n or '.ffn2.conv.' in n for n in state))
        ours = {}
        for name, value in state.items():
            match = _TABLE.fullmatch(name)
            if match is None:
                renamed = rename(name, names)
                ours[renamed] = value.squeeze(-1) if _is_convolution(renamed) else value
                continue
            expected = _constant(int(match[1]), match[3])
            if value.shape != expected.shape or not torch.allclose(value.to(expected), expected):
                raise CheckpointError(
                    f'{name} is not that of windows of {_window(int(match[1]))} in images of '
                    f'{IMAGE_SIZE} pixels'
                )
        return ours

    def to_released(self, state: State) -> State:
        """The inverse of `to_ours`, constants included.

        Raises:
            CheckpointError: a tensor has no counterpart.
        """
        names = [(o, r) for r, o in _names(any('.ffn.first.' in n for n in state))]
        released = {}
        for name, value in state.items():
            value = value[..., None] if _is_convolution(name) else value
            released[rename(name, names)] = value
            block = re.fullmatch(
                r'backbone\.model\.layers\.(\d)\.blocks\.(\d+)\.norm1\.weight', name
            )
            if block:
                stage, number = int(block[1]), int(block[2])
                prefix = f'backbone.layers.{stage}.blocks.{number}.'
                tables = ['attn.relative_coords_table', 'attn.relative_position_index']
                if stage < 2 and number % 2:  # shifted windows; later stages have a single one
                    tables.append('attn_mask')
                released.update({prefix + table: _constant(stage, table) for table in tables})
        return released


def _has(state: State, *beginnings: str) -> bool:
    return all(any(name.startswith(beginning) for name in state) for beginning in beginnings)


def _names(over_graph: bool) -> list[tuple[str, str]]:
    ffn = (*_FFN, *(_FFN_OF_GRAPH if over_graph else _FFN_OF_NONE))
    own = [tuple(a + b for a, b in zip(_LAYER, part, strict=True)) for part in ffn]
    return [*_BACKBONE, *own, *HEAD_NAMES]


def _is_convolution(name: str) -> bool:
    """Whether a weight, by our name, is of a 1 × 1 convolution there and of a linear layer here."""
    return name.startswith('keypoint_head.decoder.') and name.endswith('.project.weight')


def _window(stage: int) -> int:
    return min(WINDOW, IMAGE_SIZE // (4 << stage))


def _constant(stage: int, table: str) -> Tensor:
    """A constant of a stage of Swin V2: see its paper, and Swin's for the mask."""
    window, side = _window(stage), IMAGE_SIZE // (4 << stage)
    if table == 'attn.relative_coords_table':
        u = 8 * torch.arange(1 - window, window) / (window - 1)
        scaled = u.sign() * (1 + u.abs()).log2() / math.log2(8)
        return torch.stack(torch.meshgrid(scaled, scaled, indexing='ij'), dim=-1)[None]
    cells = torch.arange(window)
    row, column = (x.flatten() for x in torch.meshgrid(cells, cells, indexing='ij'))
    if table == 'attn.relative_position_index':
        difference = [x[:, None] - x + window - 1 for x in (row, column)]
        return difference[0] * (2 * window - 1) + difference[1]
    bands = torch.bucketize(
        torch.arange(side), torch.tensor([side - window, side - window // 2]), right=True
    )
    regions = 3 * bands[:, None] + bands  # (side, side)
    regions = regions.unflatten(1, (-1, window)).unflatten(0, (-1, window))
    regions = regions.transpose(1, 2).flatten(2).flatten(0, 1)  # (windows, window²)
    return -100.0 * (regions[:, :, None] != regions[:, None]).float()
