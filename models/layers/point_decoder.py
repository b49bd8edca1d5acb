"""A layer that refines keypoints' tokens by what the image shows (CapeFormer, the second stage)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .graph import Graph
from .initialization import xavier


class PointDecoderLayer(nn.Module):
    """Self-attention, attention to the image, and a feed-forward network, normalised behind each.

    With o the encodings of the keypoints' points and numbers, and [·; ·] side by side:

        t = LN(t + drop(MHA(t + o, t + o, t)))
        t = LN(t + drop(C(MHA'([t; o], [M; grid], M))))
        t = LN(t + drop(FFN(t)))

    Queries and keys of MHA' have 2·D channels, so that content and place are compared apart.

    Args:
        ffn: the feed-forward network, of the tokens and, if it reads one, of the keypoints' graph.
        embed_dims: D.
        num_heads: heads of either attention.
        dropout: rate, also of the attentions' weights.
    """

    def __init__(
        self, ffn: nn.Module, embed_dims: int = 256, num_heads: int = 8, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.self_attention = nn.MultiheadAttention(
            embed_dims, num_heads, dropout=dropout, batch_first=True
        )
        self.self_attention_norm = nn.LayerNorm(embed_dims)
        self.cross_attention = nn.MultiheadAttention(
            2 * embed_dims, num_heads, dropout=dropout, vdim=embed_dims, batch_first=True
        )
        self.cross_projection = nn.Linear(2 * embed_dims, embed_dims)
        self.cross_attention_norm = nn.LayerNorm(embed_dims)
        xavier(self)
        self.ffn = ffn
        self.ffn_norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        t: Tensor,
        encoding: Tensor,
        memory: Tensor,
        grid: Tensor,
        excluded: Tensor,
        graph: Graph | None = None,
    ) -> Tensor:
        """Refine the keypoints' tokens.

        Args:
            t: (B, K, D).
            encoding: (B, K, D), o.
            memory: (B, N, D), the image's tokens, M.
            grid: (N, D), their encodings.
            excluded: (B, K) bool, keypoints that are no keys; not all of an item's.
            graph: the keypoints' graph, for a feed-forward network that reads one.

        Returns:
            (B, K, D)
        """
        query = t + encoding
        seen, _ = self.self_attention(
            query, query, t, key_padding_mask=excluded, need_weights=False
        )
        t = self.self_attention_norm(t + self.dropout(seen))
        query = torch.cat((t, encoding), dim=-1)
        key = torch.cat((memory, grid.expand_as(memory)), dim=-1)
        seen, _ = self.cross_attention(query, key, memory, need_weights=False)
        t = self.cross_attention_norm(t + self.dropout(self.cross_projection(seen)))
        refined = self.ffn(t) if graph is None else self.ffn(t, graph)
        return self.ffn_norm(t + self.dropout(refined))
