"""The names of checkpoints of POMNet's official code; none was released."""

from .release import Release, State, rename

_ATTENTIONS = {'encoder': ('self_attention',), 'decoder': ('self_attention', 'cross_attention')}


def _layer_names(stack: str) -> list[tuple[str, str]]:
    """Of the encoder's or the decoder's layers."""
    parts = [
        *((f'attentions.{i}.attn.', f'{name}.') for i, name in enumerate(_ATTENTIONS[stack])),
        *((f'norms.{i}.', f'{name}_norm.') for i, name in enumerate((*_ATTENTIONS[stack], 'ffn'))),
        ('ffns.0.layers.0.0.', 'ffn.0.'),
        ('ffns.0.layers.1.', 'ffn.3.'),
    ]
    return [
        (
            f'keypoint_head.transformer.{stack}.layers.{{}}.{theirs}',
            f'keypoint_head.{stack}.{{}}.{ours}',
        )
        for theirs, ours in parts
    ]


# Names as the official code has them and as we have them; {} stands for a layer's number.
_NAMES = (
    ('encoder_sample.', 'backbone.'),
    ('encoder_query.', 'query_backbone.'),
    ('keypoint_head.input_proj.', 'keypoint_head.query_projection.'),
    ('keypoint_head.query_proj.', 'keypoint_head.support_projection.'),
    *_layer_names('encoder'),
    *_layer_names('decoder'),
    ('keypoint_head.transformer.decoder.post_norm.', 'keypoint_head.norm.'),
    ('keypoint_head.relation_model.conv.conv.', 'keypoint_head.matching.pair.'),
    ('keypoint_head.relation_model.conv.bn.', 'keypoint_head.matching.pair_norm.'),
    *(
        pair
        for i in range(3)
        for pair in (
            (
                f'keypoint_head.deconv_layers.{3 * i}.',
                f'keypoint_head.matching.upsample.{i}.',
            ),
            (
                f'keypoint_head.deconv_layers.{3 * i + 1}.',
                f'keypoint_head.matching.upsample_norms.{i}.',
            ),
        )
    ),
    ('keypoint_head.final_layer.', 'keypoint_head.matching.heatmap.'),
)


class POMNetRelease(Release):
    """Every tensor is ours under another name."""

    def is_released(self, state: State) -> bool:
        """Whether the names are the official code's."""
        return any(name.startswith('keypoint_head.relation_model.') for name in state)

    def is_ours(self, state: State) -> bool:
        """Whether the names are ours."""
        return any(name.startswith('keypoint_head.matching.') for name in state)

    def to_ours(self, state: State) -> State:
        """Rename the official code's tensors to ours."""
        return {rename(name, _NAMES): value for name, value in state.items()}

    def to_released(self, state: State) -> State:
        """Rename our tensors to the official code's."""
        names = [(ours, released) for released, ours in _NAMES]
        return {rename(name, names): value for name, value in state.items()}
