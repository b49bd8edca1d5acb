"""The names of the checkpoints that CapeFormer's authors released."""

from __future__ import annotations

import torch

from fmmp.errors import CheckpointError

from .release import Release, State, rename

# Names as the release has them and as we have them; {} stands for a layer's number.
_LAYER_PARTS = {
    ('transformer.encoder.layers.{}.', 'encoder.{}.'): (
        ('self_attn.', 'self_attention.'),
        ('norm1.', 'self_attention_norm.'),
        ('linear1.', 'ffn.0.'),
        ('linear2.', 'ffn.3.'),
        ('norm2.', 'ffn_norm.'),
    ),
    ('transformer.decoder.layers.{}.', 'decoder.{}.'): (
        ('self_attn.', 'self_attention.'),
        ('norm1.', 'self_attention_norm.'),
        ('multihead_attn.', 'cross_attention.'),
        ('choker.', 'cross_projection.'),
        ('norm2.', 'cross_attention_norm.'),
        ('linear1.', 'ffn.0.'),
        ('linear2.', 'ffn.3.'),
        ('norm3.', 'ffn_norm.'),
    ),
}
_PARTS = (
    ('input_proj.', 'query_projection.'),
    ('query_proj.', 'support_projection.'),
    ('transformer.decoder.norm.', 'decoder_norm.'),
    ('transformer.decoder.ref_point_head.layers.0.', 'point_encoding.mlp.0.'),
    ('transformer.decoder.ref_point_head.layers.1.', 'point_encoding.mlp.2.'),
    ('transformer.proposal_generator.support_proj.', 'proposals.support_projection.'),
    ('transformer.proposal_generator.query_proj.', 'proposals.query_projection.'),
    ('transformer.proposal_generator.dynamic_proj.', 'proposals.dynamic.'),
    ('kpt_branch.{}.mlp.', 'point_mlps.{}.'),
    *((r + p, o + q) for (r, o), parts in _LAYER_PARTS.items() for p, q in parts),
)
HEAD_NAMES = tuple((f'keypoint_head.{r}', f'keypoint_head.{o}') for r, o in _PARTS)
"""The two-stage head's names, the release's and ours."""

_COPIES = ('encoder_sample.', 'encoder_query.')
_NAMES = (*((copy, 'backbone.') for copy in _COPIES), *HEAD_NAMES)


class CapeFormerRelease(Release):
    """The release holds its one backbone twice, for the supports and for the query."""

    def is_released(self, state: State) -> bool:
        """Whether the names are the release's."""
        return all(
            any(name.startswith(part) for name in state)
            for part in (*_COPIES, 'keypoint_head.transformer.proposal_generator.')
        )

    def is_ours(self, state: State) -> bool:
        """Whether the names are ours, with a ResNet as the backbone."""
        parts = ('backbone.layer4.', 'keypoint_head.proposals.')
        return all(any(name.startswith(part) for name in state) for part in parts)

    def to_ours(self, state: State) -> State:
        """Rename the release's tensors to ours.

        Raises:
            CheckpointError: a tensor has no counterpart, or the backbones are not the same.
        """
        sample, query = (
            {n.removeprefix(copy): v for n, v in state.items() if n.startswith(copy)}
            for copy in _COPIES
        )
        differ = [n for n in sample.keys() & query.keys() if not torch.equal(sample[n], query[n])]
        if differ or sample.keys() != query.keys():
            names = sorted(differ or sample.keys() ^ query.keys())
            raise CheckpointError(
                f'{" and ".join(_COPIES)} are not the same backbone: they differ in {names[0]}'
            )
        return {rename(name, _NAMES): value for name, value in state.items()}

    def to_released(self, state: State) -> State:
        """The inverse of `to_ours`.

        Raises:
            CheckpointError: a tensor has no counterpart.
        """
        released = {}
        for copy in _COPIES:
            names = [(ours, theirs) for theirs, ours in ((copy, 'backbone.'), *HEAD_NAMES)]
            released.update({rename(name, names): value for name, value in state.items()})
        return released
