"""The names of the checkpoints that FMMP's authors released."""

from __future__ import annotations

import re

import torch

from fmmp.errors import CheckpointError

from .release import Release, State, rename

# Names as the release has them and as we have them; {} stands for a layer's or a level's number.
_RELEASED_NAMES = (
    ('backbone_projs.{}.0.', 'neck.projections.{}.'),
    ('predictor.pos_embed_proj.layers.0.', 'keypoint_head.point_encoding.mlp.0.'),
    ('predictor.pos_embed_proj.layers.1.', 'keypoint_head.point_encoding.mlp.2.'),
    ('predictor.kpt_branch.{}.mlp.', 'keypoint_head.point_mlps.{}.'),
)
_RELEASED_MINERS = (
    ('predictor.support_layers.{}.', 'keypoint_head.support_miners.{}.'),
    ('predictor.decoder_layers.{}.', 'keypoint_head.query_miners.{}.'),
)
_RELEASED_MINER_PARTS = (
    ('self_attn.', 'self_attention.'),
    ('self_norm1.', 'self_attention_norm.'),
    ('self_linear1.', 'self_attention_ffn.0.'),
    ('self_linear2.', 'self_attention_ffn.3.'),
    ('self_norm2.', 'self_attention_ffn_norm.'),
    ('deform_attn.projector.0.', 'fgsa.projector.'),
    ('norm1.', 'fgsa_norm.'),
    ('linear1.', 'fgsa_ffn.0.'),
    ('linear2.', 'fgsa_ffn.3.'),
    ('norm2.', 'fgsa_ffn_norm.'),
)
_NAMES = (
    ('backbone.', 'backbone.'),
    *_RELEASED_NAMES,
    *((m + p, n + q) for m, n in _RELEASED_MINERS for p, q in _RELEASED_MINER_PARTS),
)
# The release has a module a branch; we store the branches of an attention together.
_BRANCH = 'deform_attn.attn_layers.{}.'
_CONCATENATED = tuple(
    (f'{part}.{kind}', f'fgsa.{part}.{kind}')
    for part in ('sampling_offsets', 'attention_weights', 'value_proj')
    for kind in ('weight', 'bias')
)
_STACKED = (
    ('output_proj.weight', 'fgsa.output_weight'),
    ('output_proj.bias', 'fgsa.output_bias'),
)


class FMMPRelease(Release):
    """The release has a module for each branch of an attention; ours stores them together."""

    def is_released(self, state: State) -> bool:
        """Whether the names are the release's."""
        return any(name.startswith('predictor.') for name in state)

    def is_ours(self, state: State) -> bool:
        """Whether the names are ours."""
        return any(name.startswith('keypoint_head.query_miners.') for name in state)

    def to_ours(self, state: State) -> State:
        """Rename the release's tensors to ours and join each attention's branches.

        Raises:
            CheckpointError: a tensor has no counterpart.
        """
        ours, branches = {}, {}
        for name, value in state.items():
            match = re.fullmatch(r'(.*\.)deform_attn\.attn_layers\.(\d+)\.(.*)', name)
            if match:
                miner, branch, part = match.groups()
                branches.setdefault((miner, part), {})[int(branch)] = value
            else:
                ours[rename(name, _NAMES)] = value
        for (miner, part), values in branches.items():
            if sorted(values) != list(range(len(values))):
                raise CheckpointError(
                    f'{miner}deform_attn: {part} has branches {sorted(values)} only'
                )
            ordered = [values[m] for m in range(len(values))]
            join = torch.stack if part in dict(_STACKED) else torch.cat
            name = dict(_STACKED + _CONCATENATED).get(part)
            if name is None:
                raise CheckpointError(f'{miner}deform_attn.attn_layers.0.{part} has no counterpart')
            ours[rename(miner, _RELEASED_MINERS) + name] = join(ordered)
        return ours

    def to_released(self, state: State) -> State:
        """The inverse of `to_ours`.

        Raises:
            CheckpointError: a tensor has no counterpart.
        """
        names = tuple((ours, released) for released, ours in _NAMES)
        miners = tuple((ours, released) for released, ours in _RELEASED_MINERS)
        concatenated = {ours: released for released, ours in _CONCATENATED}
        stacked = {ours: released for released, ours in _STACKED}
        released = {}
        for name, value in state.items():
            match = re.fullmatch(r'(.*\.)(fgsa\.(?!projector)\w+(?:\.\w+)?)', name)
            if not match:
                released[rename(name, names)] = value
                continue
            miner, part = match.groups()
            if part not in concatenated | stacked:
                raise CheckpointError(f'{name} has no counterpart in the release')
            branches = len(state[f'{miner}fgsa.output_bias'])
            values = value.unbind() if part in stacked else value.chunk(branches)
            for branch, tensor in enumerate(values):
                prefix = rename(miner, miners) + _BRANCH.format(branch)
                released[prefix + (concatenated | stacked)[part]] = tensor.clone()
        return released
