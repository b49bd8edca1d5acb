"""A convolution over a category's skeleton (PoseAnything)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from .initialization import xavier

GRAPHS = ('pre', 'post', 'both')


class Graph(NamedTuple):
    """The keypoints that take part, and their links.

    Attributes:
        on: (B, K) bool.
        links: (B, K, K), A; see `adjacency`.
    """

    on: Tensor
    links: Tensor


def adjacency(skeleton: Tensor, on: Tensor) -> Tensor:
    """A: what part of itself each keypoint sends to which.

    With a_ij = 1 where a link names i and j, in either order, and both are ``on``, else 0:

        A_vw = a_vw / Σ_u a_vu

    So a keypoint divides itself among its neighbours. What reaches a keypoint is a sum, no mean.

    Args:
        skeleton: (B, E, 2) long, 0-based links; rows of -1 are none.
        on: (B, K) bool.

    Returns:
        (B, K, K); the row of a keypoint without a neighbour is zero.
    """
    batch, count = on.shape
    i, j = skeleton.unbind(-1)
    real = ((skeleton >= 0) & (skeleton < count)).all(-1)
    linked = on.new_zeros(batch, count * count + 1)  # the last place takes what is no link
    for place in (i * count + j, j * count + i):
        linked.scatter_(1, torch.where(real, place, count * count), True)
    linked = linked[:, :-1].unflatten(1, (count, count))
    linked = (linked & on[:, None] & on[:, :, None]).to(torch.float32)
    return linked / linked.sum(-1, keepdim=True).clamp(min=1)


class GraphConvolution(nn.Module):
    """Each keypoint's own features, and what its neighbours send.

        graph(t)_w = relu(on_w (W_self t_w + b_self) + Σ_v A_vw (W_link t_v + b_link))

    Args:
        in_dims, out_dims: channels before and after.
    """

    def __init__(self, in_dims: int, out_dims: int) -> None:
        super().__init__()
        self.project = xavier(nn.Linear(in_dims, 2 * out_dims))  # W_self, then W_link

    def forward(self, t: Tensor, graph: Graph) -> Tensor:
        """Convolve (B, K, in_dims) to (B, K, out_dims)."""
        own, sent = self.project(t).chunk(2, dim=-1)
        return (own * graph.on[..., None] + graph.links.transpose(1, 2) @ sent).relu()


class GraphFeedForward(nn.Module):
    """A feed-forward network of which one layer or both are convolutions over the graph.

    Args:
        dims: D.
        hidden_dims: width between the layers.
        dropout: rate.
        graph: ``pre``: W2 drop(graph(t)); ``post``: graph(drop(relu(W1 t))); ``both``:
            graph'(drop(graph(t))).
    """

    def __init__(
        self,
        dims: int,
        hidden_dims: int,
        dropout: float = 0.1,
        graph: Literal[GRAPHS] = 'pre',
    ) -> None:
        super().__init__()

        def layer(in_dims: int, out_dims: int, over_graph: bool) -> nn.Module:
            if over_graph:
                return GraphConvolution(in_dims, out_dims)
            return xavier(nn.Linear(in_dims, out_dims))

        self.first = layer(dims, hidden_dims, over_graph=graph != 'post')
        self.second = layer(hidden_dims, dims, over_graph=graph != 'pre')
        self.dropout = nn.Dropout(dropout)

    def forward(self, t: Tensor, graph: Graph) -> Tensor:
        """Compute the network's branch, (B, K, D), of the keypoints' tokens."""
        over_graph = isinstance(self.first, GraphConvolution)
        hidden = self.first(t, graph) if over_graph else self.first(t).relu()
        hidden = self.dropout(hidden)
        over_graph = isinstance(self.second, GraphConvolution)
        return self.second(hidden, graph) if over_graph else self.second(hidden)
