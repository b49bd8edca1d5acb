"""POMNet's head (Xu et al., ECCV 2022): a transformer, and the matching of keypoints."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from mmpose.models.builder import HEADS
from torch import Tensor, nn

from fmmp.errors import InputError

from ..episode import Episode
from ..layers.encodings import grid_encoding
from ..layers.heatmaps import STRIDE, support_features
from ..layers.initialization import xavier
from ..layers.keypoint_matching import NORMS, KeypointMatching
from ..layers.transformer import EncoderLayer, feed_forward


class KeypointTokens(NamedTuple):
    """The supports' keypoints, pooled.

    Slots behind the last keypoint that takes part are all alike, whatever the item: one of them
    stands for all.

    Attributes:
        tokens: (B, K', D), T; K' is one more than the slots up to that keypoint, or all of K.
        mask: (B, K') bool, keypoints that take part.
        real: (B, K') bool, keypoints that are no padding.
        num_slots: K.
    """

    tokens: Tensor
    mask: Tensor
    real: Tensor
    num_slots: int


@HEADS.register_module()
class HeatmapMatchingHead(nn.Module):
    """Draws a heatmap of each keypoint on the query.

    Args:
        in_channels: of the backbones' maps.
        embed_dims: D.
        num_layers: of the encoder, and of the decoder.
        num_heads: heads of an attention.
        hidden_dims: width of the feed-forward networks.
        channels, num_upsamplings, batch_norm: of the matching, see `KeypointMatching`.
        dropout: rate.

    """

    def __init__(
        self,
        in_channels: int = 2048,
        embed_dims: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        hidden_dims: int = 2048,
        channels: int = 256,
        num_upsamplings: int = 3,
        batch_norm: Literal[NORMS] = 'each',
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        for name, count in dict(hidden_dims=hidden_dims, channels=channels).items():
            if count < 1:
                raise InputError(f'{name} is {count}: give at least 1')
        sizes = (embed_dims, num_heads, hidden_dims)
        self.query_projection = nn.Conv2d(in_channels, embed_dims, kernel_size=1)
        self.support_projection = nn.Linear(in_channels, embed_dims)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes, dropout) for _ in range(num_layers))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(embed_dims)
        self.matching = KeypointMatching(embed_dims, channels, num_upsamplings, batch_norm)

    def encode_supports(self, maps: Tensor, supports: Episode) -> KeypointTokens:
        """Pool the supports' features at their keypoints, in the mean over the shots.

        Args:
            maps: (B, S, C, h, w).
            supports: the annotated images.
        """
        size = supports.imgs.shape[-1] // STRIDE
        num_slots = supports.points.shape[2]
        number = torch.arange(num_slots, device=maps.device)
        real = torch.ones_like(supports.visible[:, 0])
        if supports.num_keypoints is not None:
            real = number < supports.num_keypoints[:, None]
        visible = supports.visible & real[:, None]
        features, mask = support_features(maps, supports.points, visible, [size])
        slots = slice(_slots(mask))
        tokens = self.support_projection(features[:, slots])
        return KeypointTokens(tokens, mask[:, slots], real[:, slots], num_slots)

    def forward(self, supports: KeypointTokens, maps: Tensor) -> Tensor:
        """Draw the keypoints' heatmaps on the queries.

        Args:
            supports: what `encode_supports` gives.
            maps: (B, Q, C, h, w), of Q queries an episode.

        Returns:
            (B, Q, K, H, W)
        """
        batch, queries, _, height, width = maps.shape
        mask, real = (x.repeat_interleave(queries, dim=0) for x in (supports.mask, supports.real))
        tokens = supports.tokens.repeat_interleave(queries, dim=0)
        memory, refined = self.match_tokens(tokens, mask, maps.flatten(0, 1))
        image = memory.transpose(1, 2).unflatten(-1, (height, width))
        alike = supports.num_slots - real.shape[1] + 1
        found = self.matching(image, refined, real, last_stands_for=alike)
        if alike > 1:
            found = torch.cat((found, found[:, -1:].expand(-1, alike - 1, -1, -1)), dim=1)
        return found.unflatten(0, (batch, queries))

    def match_tokens(self, tokens: Tensor, mask: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The transformer.

        Args:
            tokens: (B, K, D), T.
            mask: (B, K) bool.
            maps: (B, C, h, w), the queries'.

        Returns:
            The image's tokens M (B, hw, D), row by row, and the keypoints' Z (B, K, D).
        """
        image = self.query_projection(maps)
        x = image.flatten(2).transpose(1, 2)
        grid = grid_encoding(*image.shape[-2:], x.shape[-1], like=tokens)
        for layer in self.encoder:
            x = layer(x, grid)
        # A softmax over no key is NaN: an item without a keypoint that takes part excludes none.
        excluded = ~mask & mask.any(1, keepdim=True)
        for layer in self.decoder:
            tokens = layer(tokens, x, grid, excluded)
        return x, self.norm(tokens)


class DecoderLayer(nn.Module):
    """Self-attention of the keypoints, cross-attention to the image, and a feed-forward network.

        t = LN(t + drop(MHA(t, t, t)));  t = LN(t + drop(MHA(t, M + grid, M)))
        t = LN(t + drop(W2 drop(relu(W1 t))))

    Args:
        embed_dims: D.
        num_heads: heads of both attentions.
        hidden_dims: width of the feed-forward network.
        dropout: rate, also of the attentions' weights.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, hidden_dims: int, dropout: float = 0.1
    ) -> None:
        super().__init__()

        def attention() -> nn.MultiheadAttention:
            return xavier(
                nn.MultiheadAttention(embed_dims, num_heads, dropout=dropout, batch_first=True)
            )

        self.self_attention = attention()
        self.self_attention_norm = nn.LayerNorm(embed_dims)
        self.cross_attention = attention()
        self.cross_attention_norm = nn.LayerNorm(embed_dims)
        self.ffn = feed_forward(embed_dims, hidden_dims, dropout)
        self.ffn_norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(self, t: Tensor, image: Tensor, grid: Tensor, excluded: Tensor) -> Tensor:
        """Let the keypoints see each other, and the image.

        Args:
            t: (B, K, D).
            image: (B, N, D), M.
            grid: (N, D).
            excluded: (B, K) bool, keypoints that are no keys; not all of an item's.

        Returns:
            (B, K, D)
        """
        seen, _ = self.self_attention(t, t, t, key_padding_mask=excluded, need_weights=False)
        t = self.self_attention_norm(t + self.dropout(seen))
        seen, _ = self.cross_attention(t, image + grid, image, need_weights=False)
        t = self.cross_attention_norm(t + self.dropout(seen))
        return self.ffn_norm(t + self.dropout(self.ffn(t)))


def _slots(mask: Tensor) -> int:
    """One more than the slots up to the last that any item's mask (B, K) has; at most K."""
    if mask.is_meta or torch.compiler.is_exporting():  # shapes alone
        return mask.shape[1]
    taking_part = mask.any(0).nonzero()
    return min(int(taking_part.max()) + 2 if len(taking_part) else 1, mask.shape[1])
