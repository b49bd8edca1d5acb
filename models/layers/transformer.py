"""Layers of a transformer that more than one method uses."""

from __future__ import annotations

from torch import Tensor, nn

from .initialization import xavier


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, normalised behind each.

    With e the tokens' encodings:

        x = LN(x + drop(MHA(x + e, x + e, x)));  x = LN(x + drop(W2 drop(relu(W1 x))))

    Args:
        embed_dims: D.
        num_heads: heads of the attention.
        hidden_dims: width of the feed-forward network.
        dropout: rate, also of the attention's weights.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        hidden_dims: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.self_attention = xavier(
            nn.MultiheadAttention(embed_dims, num_heads, dropout=dropout, batch_first=True)
        )
        self.self_attention_norm = nn.LayerNorm(embed_dims)
        self.ffn = feed_forward(embed_dims, hidden_dims, dropout)
        self.ffn_norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, encoding: Tensor | None = None, excluded: Tensor | None = None
    ) -> Tensor:
        """Let the tokens see each other.

        Args:
            x: (B, N, D).
            encoding: (N, D) or (B, N, D), e; none by default.
            excluded: (B, N) bool, tokens that are no keys; not all of an item's.

        Returns:
            (B, N, D)
        """
        query = x if encoding is None else x + encoding
        seen, _ = self.self_attention(
            query, query, x, key_padding_mask=excluded, need_weights=False
        )
        x = self.self_attention_norm(x + self.dropout(seen))
        return self.ffn_norm(x + self.dropout(self.ffn(x)))


def feed_forward(dims: int, hidden_dims: int, dropout: float) -> nn.Sequential:
    """``W2 drop(relu(W1 x))``."""
    return xavier(
        nn.Sequential(
            nn.Linear(dims, hidden_dims),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dims, dims),
        )
    )


def point_mlp(dims: int) -> nn.Sequential:
    """Three times Linear and GELU, and a Linear to the two coordinates, which starts at zero."""
    layers = []
    for _ in range(3):
        layers += [nn.Linear(dims, dims), nn.GELU()]
    mlp = xavier(nn.Sequential(*layers, nn.Linear(dims, 2)))
    nn.init.zeros_(mlp[-1].weight)  # every layer starts by not moving
    return mlp
