"""The head of CapeFormer and PoseAnything: proposals by matching, then refined points."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from mmpose.models.builder import HEADS
from torch import Tensor, nn

from fmmp.errors import InputError, did_you_mean

from ..episode import Episode
from ..layers.encodings import PointEncoding, grid_encoding, order_encoding
from ..layers.graph import GRAPHS, Graph, GraphFeedForward, adjacency
from ..layers.heatmaps import STRIDE, resampled_heatmaps, support_features, touches_heatmap
from ..layers.initialization import xavier
from ..layers.point_decoder import PointDecoderLayer
from ..layers.proposals import ProposalGenerator
from ..layers.transformer import EncoderLayer, feed_forward, point_mlp


class SupportKeypoints(NamedTuple):
    """The supports' keypoints, as all queries of an episode meet them.

    Attributes:
        embed: (B, K', D), their features; K' is K, or less where padded slots are left out.
        mask: (B, K') bool, those that every shot shows.
        order: (K', D), the encoding of their numbers; zero where the head has none.
        graph: which keypoints are keys in the decoder, and their links, if the head reads them.
        num_slots: K.
    """

    embed: Tensor
    mask: Tensor
    order: Tensor
    graph: Graph
    num_slots: int

    def for_each_query(self, queries: int) -> SupportKeypoints:
        """The same for each of Q queries: (B·Q, …)."""
        if queries == 1:
            return self

        def repeat(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.repeat_interleave(queries, dim=0)

        graph = Graph(*map(repeat, self.graph))
        return self._replace(embed=repeat(self.embed), mask=repeat(self.mask), graph=graph)


class TwoStagePrediction(NamedTuple):
    """What the head finds in a batch of images.

    Attributes:
        similarity: (B, K, H, W), of keypoints and cells.
        everywhere, at_peak: (B, K, 2), the proposals; see `Proposals`.
        iterated: (B, L, K, 2), the points that a layer hands on to the next, c_1 … c_L.
        points: (B, L, K, 2), the layers' answers, y_1 … y_L.
    """

    similarity: Tensor
    everywhere: Tensor
    at_peak: Tensor
    iterated: Tensor
    points: Tensor


@HEADS.register_module()
class TwoStageHead(nn.Module):
    """Matches keypoints with the query's cells, then moves the matches layer by layer.

    Points are in sides of the crop. The tokens of keypoints that not every shot shows are no keys
    of any attention, so what they are changes no other keypoint.

    Args:
        in_channels: C of the backbone's map.
        embed_dims: D.
        num_encoder_layers: layers in which the image's cells and the keypoints see each other.
        num_decoder_layers: L.
        num_heads: heads of an attention.
        hidden_dims: width of the feed-forward networks.
        dropout: rate.
        sigma: σ of the keypoints' heatmaps, in cells of 4 pixels; a keypoint counts as visible
            where its Gaussian reaches the heatmap.
        upsampling: how many times finer the backbone's map is made, bilinearly.
        number_keypoints: encode the keypoints' numbers. If not, padded slots change nothing.
        graph: where the decoder's feed-forward networks convolve over the skeleton: ``pre``, in
            their first layer, ``post``, in the second, ``both``, or None, nowhere.
        heatmap_loss_weight: of the similarity's loss.

    Raises:
        InputError: sizes that do not go together.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int = 256,
        num_encoder_layers: int = 3,
        num_decoder_layers: int = 3,
        num_heads: int = 8,
        hidden_dims: int = 2048,
        dropout: float = 0.1,
        sigma: float = 2.0,
        upsampling: int = 1,
        number_keypoints: bool = True,
        graph: Literal[GRAPHS] | None = None,
        heatmap_loss_weight: float = 2.0,
    ) -> None:
        super().__init__()
        counts = dict(
            embed_dims=embed_dims,
            num_encoder_layers=num_encoder_layers,
            num_decoder_layers=num_decoder_layers,
            num_heads=num_heads,
            hidden_dims=hidden_dims,
            upsampling=upsampling,
        )
        for name, count in counts.items():
            if count < 1:
                raise InputError(f'{name} is {count}: give at least 1')
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        if graph not in (None, *GRAPHS):
            raise InputError(f'graph is {graph!r}: {did_you_mean(str(graph), GRAPHS)}, or None')
        self.embed_dims, self.sigma, self.upsampling = embed_dims, sigma, upsampling
        self.number_keypoints, self.reads_skeleton = number_keypoints, graph is not None
        self.heatmap_loss_weight = heatmap_loss_weight
        self.query_projection = xavier(nn.Conv2d(in_channels, embed_dims, 1))
        self.support_projection = xavier(nn.Linear(in_channels, embed_dims))
        self.encoder = nn.ModuleList(
            EncoderLayer(embed_dims, num_heads, hidden_dims, dropout)
            for _ in range(num_encoder_layers)
        )
        self.proposals = ProposalGenerator(embed_dims)
        self.point_encoding = PointEncoding(embed_dims)

        def network() -> nn.Module:
            if graph is None:
                return feed_forward(embed_dims, hidden_dims, dropout)
            return GraphFeedForward(embed_dims, hidden_dims, dropout, graph)

        self.decoder = nn.ModuleList(
            PointDecoderLayer(network(), embed_dims, num_heads, dropout)
            for _ in range(num_decoder_layers)
        )
        self.decoder_norm = nn.LayerNorm(embed_dims)
        self.point_mlps = nn.ModuleList(point_mlp(embed_dims) for _ in range(num_decoder_layers))

    def encode_supports(self, maps: Tensor, supports: Episode) -> SupportKeypoints:
        """Pool the supports' features at their keypoints.

        Args:
            maps: (B, S, C, h, w).
            supports: the annotated images. Slots behind all categories' keypoints that
                no image shows are left out, if ``num_keypoints`` are known and nothing depends on
                these slots.
        """
        num_slots = supports.points.shape[2]
        used, count = slice(num_slots), supports.num_keypoints
        numbered_training = self.training and self.number_keypoints
        if not (numbered_training or count is None or count.is_meta):
            shown = supports.visible.flatten(0, 1).any(dim=0)
            slots = torch.arange(1, num_slots + 1, device=shown.device) * shown
            used = slice(int(torch.maximum(slots.max(), count.max())))
        points, visible = supports.points[:, :, used], supports.visible[:, :, used]
        size, side = supports.imgs.shape[-1] // STRIDE, maps.shape[-1]
        sizes = [side * self.upsampling, size] if self.upsampling > 1 else [size]
        visible = visible & touches_heatmap(points, size, self.sigma)
        features, mask = support_features(maps, points, visible, sizes, self.sigma)

        if self.number_keypoints:
            order = order_encoding(num_slots, self.embed_dims, like=points)[used]
        else:
            order = points.new_zeros(points.shape[2], self.embed_dims)
        # A softmax over no key is NaN: the first slot is let in where there is no keypoint.
        on = mask.clone()
        on[:, 0] |= ~on.any(1)
        links = adjacency(supports.skeleton, on) if self.reads_skeleton else None
        embed = self.support_projection(features)
        return SupportKeypoints(embed, mask, order, Graph(on, links), num_slots)

    def forward(self, state: SupportKeypoints, maps: Tensor) -> TwoStagePrediction:
        """Find the keypoints of queries.

        Args:
            state: the supports' keypoints, (B, …).
            maps: (B, C, H, W), a query an item.
        """
        if self.upsampling > 1:
            maps = F.interpolate(maps, scale_factor=self.upsampling, mode='bilinear')
        size = tuple(maps.shape[-2:])
        grid = grid_encoding(*size, self.embed_dims, like=state.order)
        memory, keypoints = self._encode(state, self.query_projection(maps), grid)
        proposals = self.proposals(keypoints, memory, size)
        iterated, points = self._decode(state, keypoints, memory, grid, proposals.at_peak)
        return TwoStagePrediction(*proposals, iterated, points)

    def _encode(self, state: SupportKeypoints, maps: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
        """Let the image's cells (B, D, H, W) and the keypoints see each other.

        Returns:
            memory (B, H·W, D) and the keypoints (B, K, D).
        """
        cells = maps.flatten(2).transpose(1, 2)
        x = torch.cat((cells, state.embed), dim=1)
        encoding = torch.cat((grid, state.order))
        excluded = torch.cat((state.mask.new_zeros(cells.shape[:2]), ~state.mask), dim=1)
        for layer in self.encoder:
            # The sum replaces x: the encoding is in the values and the residual, too.
            x = layer(x + encoding, excluded=excluded)
        return x[:, : cells.shape[1]], x[:, cells.shape[1] :]

    def _decode(
        self, state: SupportKeypoints, t: Tensor, memory: Tensor, grid: Tensor, proposal: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Move the proposals (B, K, 2) layer by layer.

        Returns:
            (B, L, K, 2) twice: the points before the last norm, which layers hand on, and after it.
        """
        excluded = ~state.graph.on
        graph = state.graph if self.reads_skeleton else None
        point, base = proposal, proposal.detach()
        iterated, predictions = [], []
        for layer, mlp in zip(self.decoder, self.point_mlps, strict=True):
            encoding = self.point_encoding(point) + state.order
            t = layer(t, encoding, memory, grid, excluded, graph)
            predictions.append((inverse_sigmoid(base) + mlp(self.decoder_norm(t))).sigmoid())
            iterated.append((inverse_sigmoid(base.detach()) + mlp(t)).sigmoid())
            # An answer's loss reaches the layer before through its base, not through its encoding.
            point, base = iterated[-1].detach(), iterated[-1]
        return torch.stack(iterated, dim=1), torch.stack(predictions, dim=1)

    def losses(
        self, state: SupportKeypoints, prediction: TwoStagePrediction, queries: Episode
    ) -> dict[str, Tensor]:
        """Compare with the keypoints that the query and every support show.

        Args:
            state: the supports' keypoints.
            prediction: what the head found.
            queries: (B, 1, …), points and visibility.

        Returns:
            ``heatmap``, the similarity's with its weight; ``proposal``, of the global one; and
            ``layers`` (L,): each the mean over an image's keypoints, and over the batch.
        """
        used = slice(state.mask.shape[1])
        points, visible = queries.points[:, 0, used], queries.visible[:, 0, used]
        size, cells = queries.imgs.shape[-1] // STRIDE, prediction.similarity.shape[-1]
        visible = visible & touches_heatmap(points, size, self.sigma)
        weights = (visible & state.mask).to(points.dtype)
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1)

        def mean_loss(by_keypoint: Tensor) -> Tensor:  # (B, …, K)
            return torch.einsum('b...k,bk->...', by_keypoint, weights) / len(weights)

        target = resampled_heatmaps(points, visible, size, cells, self.sigma)
        error = (prediction.similarity.sigmoid() - target).square().mean((-2, -1))
        return {
            'heatmap': self.heatmap_loss_weight * mean_loss(error),
            'proposal': mean_loss((prediction.everywhere - points).abs().sum(-1)),
            'layers': mean_loss((prediction.points - points[:, None]).abs().sum(-1)),
        }


def inverse_sigmoid(x: Tensor, eps: float = 1e-3) -> Tensor:
    """``log(max(x, ε) / max(1 - x, ε))`` of x, clamped to [0, 1]."""
    x = x.clamp(0, 1)
    return (x.clamp(min=eps) / (1 - x).clamp(min=eps)).log()
