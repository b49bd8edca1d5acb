"""The feature miner (paper, Section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from .features import Levels
from .initialization import xavier
from .transformer import feed_forward


class Miner(nn.Module):
    """Mines features of one image around the keypoints: self-attention, then FGSA attention.

    With o the keypoints' encodings and x their embeddings:

        x = LN(x + drop(MHA(x + o, x + o, x)));  x = LN(x + drop(FFN(x)))
        x = LN(x + drop(FGSA(x + o)));           x = LN(x + drop(FFN(x)))

    Args:
        fgsa: the attention around structural references; `FGSA`, or one called as it is.
        embed_dims: D.
        num_heads: heads of the self-attention.
        hidden_dims: width of both feed-forward networks.
        dropout: rate, also of the self-attention's weights.
    """

    def __init__(
        self,
        fgsa: nn.Module,
        embed_dims: int = 256,
        num_heads: int = 8,
        hidden_dims: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.self_attention = xavier(
            nn.MultiheadAttention(embed_dims, num_heads, dropout=dropout, batch_first=True)
        )
        self.self_attention_norm = nn.LayerNorm(embed_dims)
        self.self_attention_ffn = feed_forward(embed_dims, hidden_dims, dropout)
        self.self_attention_ffn_norm = nn.LayerNorm(embed_dims)
        self.fgsa = fgsa
        self.fgsa_norm = nn.LayerNorm(embed_dims)
        self.fgsa_ffn = feed_forward(embed_dims, hidden_dims, dropout)
        self.fgsa_ffn_norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        embed: Tensor,
        encoding: Tensor,
        points: Tensor,
        reference_index: Tensor,
        tokens: Tensor,
        levels: Levels,
        visible: Tensor | None = None,
        similarity: Tensor | None = None,
    ) -> Tensor:
        """Refine the keypoints' embeddings with what the image shows around ``points``.

        Args:
            embed: (B, K, D), x.
            encoding: (B, K, D), o = order + pos(points).
            points: (B, K, 2) in [0, 1].
            reference_index: (B, K, ≥M) long, the structural references.
            tokens: (B, N, D), the image.
            levels: each level's (height, width); their products sum to N.
            visible: (B, K) bool; invisible keypoints are masked as keys of the self-attention.
            similarity: (B, K, N), of each keypoint and token, which FGSA's weights count.

        Returns:
            (B, K, D)
        """
        x = embed
        x = self.self_attention_norm(x + self.dropout(self._attend(x, encoding, visible)))
        x = self.self_attention_ffn_norm(x + self.dropout(self.self_attention_ffn(x)))
        compared = () if similarity is None else (similarity,)
        mined = self.fgsa(x + encoding, points, reference_index, tokens, levels, *compared)
        x = self.fgsa_norm(x + self.dropout(mined))
        return self.fgsa_ffn_norm(x + self.dropout(self.fgsa_ffn(x)))

    def _attend(self, x: Tensor, encoding: Tensor, visible: Tensor | None) -> Tensor:
        masked = None
        if visible is not None:
            # A softmax over no key is NaN: an image that shows no keypoint masks none.
            masked = ~visible & visible.any(1, keepdim=True)
        query = x + encoding
        return self.self_attention(query, query, x, key_padding_mask=masked, need_weights=False)[0]
