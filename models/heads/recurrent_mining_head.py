"""The recurrent mining head (paper, Section 3.1)."""

from __future__ import annotations

import torch
from mmpose.models.builder import HEADS
from torch import Tensor, nn

from ..layers.encodings import PointEncoding, order_encoding
from ..layers.features import Levels, features_at, mean_over_shots
from ..layers.fgsa import FGSA, FGSAHeads
from ..layers.miner import Miner
from ..layers.structure import STRUCTURES, choose_references


@HEADS.register_module()
class RecurrentMiningHead(nn.Module):
    """Finds the query's keypoints by mining support and query in turn, layer by layer.

    Args:
        embed_dims: D.
        num_layers: L, each with miners of its own.
        num_branches: M, structural references of a keypoint: branches of FGSA, or its heads.
        num_heads: heads of an attention.
        num_levels: levels of the image tokens.
        num_points: samples that a head takes of each level.
        hidden_dims: width of the miners' feed-forward networks.
        dropout: rate.
        attention: ``branches``, each reference a branch of its own (the authors' release), or
            ``heads``, each reference a head of one attention (the paper's figure).
        structure: where the structural references come from: ``given`` with the episode (the
            skeleton), ``self``: M times the keypoint itself, ``full``: a skeleton that links every
            keypoint to every other, ``off``: ordinary deformable attention.
        mine_support: mine the supports again in every layer (recurrent support mining); off, the
            supports' features at their keypoints start the embedding and that is all.
        mix_loss_weight: β, weight of the padded keypoints' loss.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_layers: int = 3,
        num_branches: int = 8,
        num_heads: int = 8,
        num_levels: int = 3,
        num_points: int = 4,
        hidden_dims: int = 256,
        dropout: float = 0.1,
        attention: str = 'branches',
        structure: str = 'given',
        mine_support: bool = True,
        mix_loss_weight: float = 0.5,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        _check_choice('attention', attention, ('branches', 'heads'))
        _check_choice('structure', structure, STRUCTURES)
        self.structure = structure
        self.mix_loss_weight = mix_loss_weight

        def miners() -> nn.ModuleList:
            sizes = dict(embed_dims=embed_dims, num_levels=num_levels, num_points=num_points)
            layers = []
            for _ in range(num_layers):
                if structure == 'off':
                    fgsa = FGSA(num_branches=1, num_heads=num_heads, **sizes)
                elif attention == 'heads':
                    fgsa = FGSAHeads(num_heads=num_branches, **sizes)
                else:
                    fgsa = FGSA(num_branches=num_branches, num_heads=num_heads, **sizes)
                layers.append(Miner(fgsa, embed_dims, num_heads, hidden_dims, dropout))
            return nn.ModuleList(layers)

        self.point_encoding = PointEncoding(embed_dims)
        self.query_miners = miners()
        self.support_miners = miners() if mine_support else None
        self.point_mlps = nn.ModuleList(point_mlp(embed_dims) for _ in range(num_layers))

    def init_weights(self) -> None:
        """Xavier-uniform matrices and zero biases; FGSA's own; every layer starts by not moving."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.MultiheadAttention):
                nn.init.xavier_uniform_(module.in_proj_weight)
                nn.init.zeros_(module.in_proj_bias)
        for module in self.modules():
            if isinstance(module, FGSA):
                module.init_weights()
        for mlp in self.point_mlps:
            nn.init.zeros_(mlp[-1].weight)

    def forward(
        self,
        support_tokens: Tensor,
        query_tokens: Tensor,
        levels: Levels,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor,
    ) -> Tensor:
        """Find the queries' keypoints.

        An episode may have several queries; the first mining of its supports serves them all.

        Args:
            support_tokens: (B, S, N, D).
            query_tokens: (B·Q, N, D), an episode's Q queries one after the other.
            levels: each level's (height, width); their products sum to N.
            points: (B, S, K, 2), the supports' keypoints in [0, 1].
            visible: (B, S, K) bool.
            reference_index: (B, S, K, ≥M) long, the supports' structural references. The query is
                mined with the last support's.

        Returns:
            (B·Q, L, K, 2), each layer's points in [0, 1].
        """
        order = order_encoding(points.shape[2], query_tokens.shape[-1], like=points)
        references = choose_references(self.structure, visible, reference_index)
        encoding = order + self.point_encoding(points)
        supports = [encoding, points, references, support_tokens, visible]  # each (B, S, …)
        queries = len(query_tokens) // len(points)

        features = features_at(points.flatten(0, 1), support_tokens.flatten(0, 1), levels)
        embed = mean_over_shots(features.unflatten(0, points.shape[:2]), visible)
        point = points.new_full((len(query_tokens), *points.shape[2:]), 0.5)
        logit = torch.logit(point, eps=1e-3)
        predictions = []
        for layer, (miner_q, mlp) in enumerate(
            zip(self.query_miners, self.point_mlps, strict=True)
        ):
            if self.support_miners is not None:
                embed = mine_supports(self.support_miners[layer], embed, *supports, levels)
            if layer == 0 and queries > 1:
                # From here on each query has an embedding of its own.
                embed, *supports = (
                    tensor.repeat_interleave(queries, dim=0) for tensor in (embed, *supports)
                )
                references = supports[2]
            encoding = order + self.point_encoding(point)
            embed = miner_q(embed, encoding, point, references[:, -1], query_tokens, levels)
            logit = logit + mlp(embed)
            predictions.append(logit.sigmoid())
            point, logit = predictions[-1].detach(), logit.detach()
        return torch.stack(predictions, dim=1)

    def layer_losses(
        self, predictions: Tensor, points: Tensor, visible: Tensor, num_keypoints: Tensor
    ) -> dict[str, Tensor]:
        """L1 distance to the query's visible keypoints, the real and the padded ones apart.

        Args:
            predictions: (B, L, K, 2).
            points: (B, K, 2), the query's.
            visible: (B, K) bool, the query's.
            num_keypoints: (B,) long, K_c: the first K_c keypoints are real, the others padded.

        Returns:
            ``real``, and ``mix`` with its weight β, (L,): each layer's mean over an image's visible
            keypoints, and over the batch.
        """
        distance = (predictions - points[:, None]).abs().sum(-1)  # (B, L, K)
        number = torch.arange(points.shape[1], device=points.device)
        real = number < num_keypoints[:, None]

        def mean_loss(keypoints: Tensor) -> Tensor:
            weights = keypoints[:, None].to(distance.dtype)
            per_image = (distance * weights).sum(-1) / weights.sum(-1).clamp(min=0.1)
            return per_image.mean(0)

        return {
            'real': mean_loss(visible & real),
            'mix': self.mix_loss_weight * mean_loss(visible & ~real),
        }


def mine_supports(
    miner: Miner,
    embed: Tensor,
    encoding: Tensor,
    points: Tensor,
    references: Tensor,
    tokens: Tensor,
    visible: Tensor,
    levels: Levels,
) -> Tensor:
    """Mine an episode's supports, each with the same embedding, and take the mean over the shots.

    Args:
        miner: the miner.
        embed: (B, K, D).
        encoding, points, references, tokens, visible: (B, S, …), the supports'.
        levels: each level's (height, width).

    Returns:
        (B, K, D)
    """
    shots = visible.shape[1]
    embed = embed.repeat_interleave(shots, dim=0)
    # The shots join the batch.
    supports = (tensor.flatten(0, 1) for tensor in (encoding, points, references, tokens))
    mined = miner(embed, *supports, levels, visible.flatten(0, 1))
    return mean_over_shots(mined.unflatten(0, (-1, shots)), visible)


def point_mlp(dims: int) -> nn.Sequential:
    """Three times Linear and GELU, and a Linear to the two coordinates."""
    layers = []
    for _ in range(3):
        layers += [nn.Linear(dims, dims), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(dims, 2))


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f'{name}={value!r}; choose one of {", ".join(choices)}')
