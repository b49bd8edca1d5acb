"""The recurrent mining head (paper, Section 3.1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from mmpose.models.builder import HEADS
from torch import Tensor, nn

from fmmp.errors import InputError, did_you_mean

from ..episode import Episode
from ..layers.encodings import PointEncoding, order_encoding
from ..layers.features import Levels, features_at, level_starts, mean_over_shots
from ..layers.fgsa import ATTENTIONS, FGSA
from ..layers.local_match import LocalMatch
from ..layers.matching import MatchedSupports, Matcher
from ..layers.miner import Miner
from ..layers.samples import Samples, recorded_inputs, strongest
from ..layers.structure import STRUCTURES, choose_references
from ..layers.transformer import point_mlp


class MinedSupports(NamedTuple):
    """Supports after the first support mining: what all queries of an episode start from.

    Attributes:
        embed: (B, K, D), the keypoints' embeddings.
        order: (K, D), the encoding of the keypoints' numbers.
        encoding: (B, S, K, D), ``order`` and that of their points.
        points: (B, S, K, 2) in [0, 1].
        references: (B, S, K, ≥M) long, the structural references.
        tokens: (B, S, N, D), the images.
        visible: (B, S, K) bool.
        matched: what the queries' starting points are matched with, if they are.
        features: (B, K, D), the keypoints' on the finest level, which local matching compares with.
    """

    embed: Tensor
    order: Tensor
    encoding: Tensor
    points: Tensor
    references: Tensor
    tokens: Tensor
    visible: Tensor
    matched: MatchedSupports | None = None
    features: Tensor | None = None

    def for_each_query(self, queries: int) -> MinedSupports:
        """The same for each of Q queries: (B·Q, …)."""
        if queries == 1:
            return self
        names = ('embed', 'encoding', 'points', 'references', 'tokens', 'visible', 'features')
        values = {name: getattr(self, name) for name in names}
        return self._replace(
            **{k: v.repeat_interleave(queries, dim=0) for k, v in values.items() if v is not None}
        )


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
        attention: ``branches``, each reference a branch of its own (the authors' release);
            ``heads``, each reference a head of one attention (the paper's figure); or the name of
            another registered attention.
        structure: where the structural references come from: ``given`` with the episode (the
            skeleton), ``self``: M times the keypoint itself, ``full``: a skeleton that links every
            keypoint to every other, ``off``: ordinary deformable attention.
        mine_support: mine the supports again in every layer (recurrent support mining); off, the
            supports' features at their keypoints start the embedding and that is all.
        initial_points: where a query's keypoints start: ``center``, all at the image's centre (the
            authors' release); ``matching``, where the neck's finest level matches the supports' at
            their keypoints, near the supports' places; or ``raw_matching``, where the backbone's
            own features do, near the supports' places as they are, turned or mirrored.
        local_match: each layer's radius of the window, in sides of the image, in which it compares
            the query with the supports and moves the points before the MLP does (`LocalMatch`);
            what starting points are matched by, if they are, joins the comparison. None: no layer
            compares (the authors' release).
        mix_loss_weight: β, weight of the padded keypoints' loss.

    Raises:
        InputError: an unknown attention or structure, or sizes that do not go together.
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
        initial_points: str = 'center',
        local_match: Sequence[float] | None = None,
        mix_loss_weight: float = 0.5,
    ) -> None:
        super().__init__()
        _check_choice('attention', attention, ATTENTIONS)
        _check_choice('structure', structure, STRUCTURES)
        _check_choice('initial_points', initial_points, ('center', 'matching', 'raw_matching'))
        counts = dict(
            embed_dims=embed_dims,
            num_layers=num_layers,
            num_branches=num_branches,
            num_heads=num_heads,
            num_levels=num_levels,
            num_points=num_points,
            hidden_dims=hidden_dims,
        )
        for name, count in counts.items():
            if count < 1:
                raise InputError(f'{name} is {count}: give at least 1')
        if mix_loss_weight < 0:
            raise InputError(f'mix_loss_weight is {mix_loss_weight}: give at least 0')
        if local_match is not None:
            if len(local_match) != num_layers:
                raise InputError(
                    f'local_match has {len(local_match)} radii, and the head {num_layers} layers: '
                    'give a radius a layer'
                )
            if min(local_match) <= 0:
                raise InputError(f'local_match is {local_match}: give radii above 0')
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        if structure == 'off':
            attention, num_branches = 'branches', 1
        self.structure = structure
        self.num_references = num_branches
        self.mix_loss_weight = mix_loss_weight

        def miners() -> nn.ModuleList:
            return nn.ModuleList(
                Miner(
                    ATTENTIONS[attention](
                        embed_dims=embed_dims,
                        num_branches=num_branches,
                        num_heads=num_heads,
                        num_levels=num_levels,
                        num_points=num_points,
                    ),
                    embed_dims,
                    num_heads,
                    hidden_dims,
                    dropout,
                )
                for _ in range(num_layers)
            )

        self.matcher = None
        if initial_points == 'matching':
            self.matcher = Matcher(temperature=20.0, turns=1, mirrored=False, learned=True)
        elif initial_points == 'raw_matching':
            self.matcher = Matcher(learned=True)
        self.initial_points = initial_points
        self.point_encoding = PointEncoding(embed_dims)
        self.query_miners = miners()
        self.support_miners = miners() if mine_support else None
        self.local_matches = None
        if local_match is not None:
            start = self.matcher is not None
            self.local_matches = nn.ModuleList(
                LocalMatch(embed_dims, radius, start) for radius in local_match
            )
        self.point_mlps = nn.ModuleList(point_mlp(embed_dims) for _ in range(num_layers))

    def encode_supports(
        self, tokens: Tensor, levels: Levels, supports: Episode, described: Tensor | None = None
    ) -> MinedSupports:
        """Start the keypoints' embeddings from the supports, and mine these for the first time.

        Args:
            tokens: (B, S, N, D).
            levels: each level's (height, width); their products sum to N.
            supports: the annotated images.
            described: (B, S, C, H, W), what starting points are matched by, if they are.
        """
        points, visible = supports.points, supports.visible
        order = order_encoding(points.shape[2], tokens.shape[-1], like=points)
        features = features_at(points.flatten(0, 1), tokens.flatten(0, 1), levels)
        state = MinedSupports(
            embed=mean_over_shots(features.unflatten(0, points.shape[:2]), visible),
            order=order,
            encoding=order + self.point_encoding(points),
            points=points,
            references=choose_references(self.structure, visible, supports.reference_index),
            tokens=tokens,
            visible=visible,
        )
        if self.matcher is not None:
            matched = self.matcher.encode_supports(described, points, visible)
            state = state._replace(matched=matched)
        if self.local_matches is not None:
            finest = tokens[:, :, level_starts(levels)[-1] :]
            features = features_at(points.flatten(0, 1), finest.flatten(0, 1), levels[-1:])
            features = mean_over_shots(features.unflatten(0, points.shape[:2]), visible)
            state = state._replace(features=features)
        return state._replace(embed=self._mine_supports(0, state.embed, state, levels))

    def forward(
        self, state: MinedSupports, tokens: Tensor, levels: Levels, described: Tensor | None = None
    ) -> Tensor:
        """Find the keypoints of the queries, mined with the last support's structural references.

        Args:
            state: what `encode_supports` gives.
            tokens: (B, Q, N, D), of Q queries an episode.
            levels: each level's (height, width).
            described: (B, Q, C, H, W), as of `encode_supports`.

        Returns:
            (B, Q, L, K, 2), each layer's points in [0, 1].
        """
        batch, queries = tokens.shape[:2]
        similarity = None
        if self.matcher is None:
            point = state.points.new_full((batch, queries, *state.points.shape[2:]), 0.5)
        else:
            matched = self.matcher.compare(state.matched, described)
            point = self.matcher(matched)
            similarity = matched.similarity.flatten(0, 1)
        point = point.flatten(0, 1)
        state, tokens = state.for_each_query(queries), tokens.flatten(0, 1)
        finest = tokens[:, level_starts(levels)[-1] :].unflatten(1, levels[-1])
        embed, references = state.embed, state.references[:, -1]
        logit = torch.logit(point, eps=1e-3)
        predictions = []
        for layer, (miner_q, mlp) in enumerate(
            zip(self.query_miners, self.point_mlps, strict=True)
        ):
            if layer > 0:
                embed = self._mine_supports(layer, embed, state, levels)
            encoding = state.order + self.point_encoding(point)
            embed = miner_q(embed, encoding, point, references, tokens, levels)
            if self.local_matches is not None:
                match = self.local_matches[layer]
                point = match(state.features, embed, point, finest, similarity)
                logit = torch.logit(point, eps=1e-3)
            logit = logit + mlp(embed)
            predictions.append(logit.sigmoid())
            point, logit = predictions[-1].detach(), logit.detach()
        return torch.stack(predictions, dim=1).unflatten(0, (batch, queries))

    def samples(
        self, state: MinedSupports, tokens: Tensor, levels: Levels, described: Tensor | None = None
    ) -> Samples | None:
        """Where the last layer's FGSA samples the queries and, mined for them, the supports.

        The arguments are those of `forward`.

        Returns:
            The samples that weigh most, over all branches; those of the supports only of several
            layers that mine them. None where the attention does not say where it samples.
        """
        miners = [self.query_miners[-1]]
        if self.support_miners is not None and len(self.query_miners) > 1:
            miners.append(self.support_miners[-1])
        attentions = [miner.fgsa for miner in miners]
        if not all(isinstance(attention, FGSA) for attention in attentions):
            return None
        with ExitStack() as stack:
            calls = [stack.enter_context(recorded_inputs(attention)) for attention in attentions]
            self(state, tokens, levels, described)
        found = []
        for attention, (inputs,) in zip(attentions, calls, strict=True):
            query, points, reference_index, _, levels = inputs
            references = attention.reference_points(points, reference_index)
            places, weights = attention.samples(query, references, levels)
            heads = weights.shape[2] * weights.shape[3]
            found.append(strongest(places.flatten(2, 5), weights.flatten(2) / heads))
        batch, queries = tokens.shape[:2]
        shape = ((batch, queries), (batch, queries, -1))
        return Samples(*(one.unflatten(0, s) for one, s in zip(found, shape, strict=False)))

    def _mine_supports(
        self, layer: int, embed: Tensor, state: MinedSupports, levels: Levels
    ) -> Tensor:
        """Mine the supports, each with the same embedding (B, K, D); the mean over the shots."""
        if self.support_miners is None:
            return embed
        shots = state.visible.shape[1]
        # The shots join the batch.
        supports = (state.encoding, state.points, state.references, state.tokens)
        mined = self.support_miners[layer](
            embed.repeat_interleave(shots, dim=0),
            *(tensor.flatten(0, 1) for tensor in supports),
            levels,
            state.visible.flatten(0, 1),
        )
        return mean_over_shots(mined.unflatten(0, (-1, shots)), state.visible)

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


def _check_choice(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise InputError(f'{name} is {value!r}: {did_you_mean(str(value), choices)}')
