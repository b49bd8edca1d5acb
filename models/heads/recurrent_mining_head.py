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
from ..layers.features import Levels, features_at, level_starts, mean_over_shots, split_levels
from ..layers.fgsa import ATTENTIONS, FGSA
from ..layers.local_match import LocalMatch
from ..layers.matching import MatchedSupports, Matcher
from ..layers.miner import Miner
from ..layers.samples import Samples, Step, recorded_inputs, strongest
from ..layers.similarity import Similarity
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
        features: (B, L, K, D), the keypoints' on each level, or (B, 1, K, D), on the finest, which
            layers that compare read.
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
        own_weights: in local matches, let each keypoint weigh its looks against its place.
        compare_samples: let the weights of FGSA's samples of the query count how alike the sampled
            tokens and the supports' keypoints are (`Similarity`), level by level.
        near_samples: let FGSA's samples start at distances in cells of the finest level, on every
            level; off, in cells of the level's own (the authors' release).
        detach_points: let no gradient pass from a layer to the points of the one before (the
            authors' release).
        mix_loss_weight: β, weight of the padded keypoints' loss.
        loss_bound: b: a distance d counts b (1 - exp(-d / b)) in the losses, nearly d where it is
            small and never more than b, so that keypoints that cannot be found do not teach to
            stay in the middle; the points should start near, see ``initial_points``. None: d (the
            paper).

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
        own_weights: bool = False,
        compare_samples: bool = False,
        near_samples: bool = False,
        detach_points: bool = True,
        mix_loss_weight: float = 0.5,
        loss_bound: float | None = None,
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
        if loss_bound is not None and loss_bound <= 0:
            raise InputError(f'loss_bound is {loss_bound}: give a distance above 0, or None')
        if local_match is not None:
            if len(local_match) != num_layers:
                raise InputError(
                    f'local_match has {len(local_match)} radii, and the head {num_layers} layers: '
                    'give a radius a layer'
                )
            if min(local_match) <= 0:
                raise InputError(f'local_match is {local_match}: give radii above 0')
        elif own_weights:
            raise InputError('own_weights are those of local matches: set local_match, too')
        of_fgsa = {'compare_samples': compare_samples, 'near_samples': near_samples}
        if any(of_fgsa.values()) and not issubclass(ATTENTIONS[attention], FGSA):
            names = ', '.join(name for name, value in of_fgsa.items() if value)
            raise InputError(f'the attention {attention!r} has no such option: leave out {names}')
        if embed_dims % num_heads:
            raise InputError(f'embed_dims={embed_dims} is no multiple of num_heads={num_heads}')
        if structure == 'off':
            attention, num_branches = 'branches', 1
        self.structure = structure
        self.num_references = num_branches
        self.mix_loss_weight = mix_loss_weight
        self.loss_bound = loss_bound
        self.detach_points = detach_points

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
                LocalMatch(embed_dims, radius, start, own_weights) for radius in local_match
            )
        self.similarities = None
        if compare_samples:
            self.similarities = nn.ModuleList(Similarity(embed_dims) for _ in range(num_layers))
        self.point_mlps = nn.ModuleList(point_mlp(embed_dims) for _ in range(num_layers))
        if near_samples:
            for miner in (*self.query_miners, *(self.support_miners or ())):
                miner.fgsa.start_near()

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
        if self.local_matches is not None or self.similarities is not None:
            by_level = [*zip(split_levels(tokens, levels), levels, strict=True)]
            if self.similarities is None:
                by_level = by_level[-1:]  # local matches read the finest alone
            features = []
            for of_level, size in by_level:
                shots = features_at(points.flatten(0, 1), of_level.flatten(0, 1), [size])
                features.append(mean_over_shots(shots.unflatten(0, points.shape[:2]), visible))
            state = state._replace(features=torch.stack(features, dim=1))
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
            compared = self._compare(layer, embed, state, tokens, levels)
            embed = miner_q(embed, encoding, point, references, tokens, levels, None, compared)
            if self.local_matches is not None:
                match = self.local_matches[layer]
                point = match(state.features[:, -1], embed, point, finest, similarity)
                logit = torch.logit(point, eps=1e-3)
            logit = logit + mlp(embed)
            predictions.append(logit.sigmoid())
            point = predictions[-1]
            if self.detach_points:
                point, logit = point.detach(), logit.detach()
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
        *_, last = self.steps(state, tokens, levels, described)
        if last.queries is None:
            return None
        found = (last.queries, last.supports)
        return Samples(*(one if one is None else strongest(one) for one in found))

    def steps(
        self, state: MinedSupports, tokens: Tensor, levels: Levels, described: Tensor | None = None
    ) -> list[Step]:
        """Where each layer looks and how it moves the points.

        The arguments are those of `forward`.
        """
        none = [None] * len(self.query_miners)
        modules = zip(
            [miner.fgsa for miner in self.query_miners],
            [miner.fgsa for miner in self.support_miners or ()] or none,
            self.local_matches or none,
            strict=True,
        )
        with ExitStack() as stack:
            layers = [
                [(m, m and stack.enter_context(recorded_inputs(m))) for m in of_layer]
                for of_layer in modules
            ]
            predictions = self(state, tokens, levels, described)
        of_query = tokens.shape[:2]
        return [
            Step(
                before=query[1][0][1].unflatten(0, of_query),  # the points that FGSA was given
                after=predictions[:, :, layer],
                queries=_look(*query, of_query),
                supports=_look(*support, (*of_query, -1)),
                window=_look(*match, of_query),
            )
            for layer, (query, support, match) in enumerate(layers)
        ]

    def _compare(
        self, layer: int, embed: Tensor, state: MinedSupports, tokens: Tensor, levels: Levels
    ) -> Tensor | None:
        """How alike the supports' keypoints and the query's tokens are, (B, K, N), if it counts."""
        if self.similarities is None:
            return None
        by_level = zip(state.features.unbind(1), split_levels(tokens, levels), strict=True)
        similarity = self.similarities[layer]
        return torch.cat([similarity(f, embed, of_level) for f, of_level in by_level], dim=-1)

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
            keypoints, and over the batch, of distances that ``loss_bound`` may bound.
        """
        distance = (predictions - points[:, None]).abs().sum(-1)  # (B, L, K)
        if self.loss_bound is not None:
            distance = self.loss_bound * -torch.expm1(-distance / self.loss_bound)
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


def _look(module: nn.Module | None, calls: list[tuple], shape: Sequence[int]) -> Tensor | None:
    """The places (…, K, N, 3) that a module looked at when it was called, if it was and tells."""
    if not calls or not hasattr(module, 'look'):
        return None
    return module.look(*calls[0]).unflatten(0, shape)
