"""FMMP, the method (paper, Section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from mmpose.models import builder
from mmpose.models.builder import POSENETS
from torch import Tensor

from fmmp.errors import InputError

from ..backbones.building import backbone_maps, stage_channels
from ..episode import Episode
from ..heads.recurrent_mining_head import MinedSupports
from ..layers.features import Levels, join_levels
from ..layers.matching import describe, project
from ..layers.samples import Samples, Step
from .base import EpisodeDetector, Features
from .feature_matching import read_projection
from .fmmp_release import FMMPRelease


@POSENETS.register_module()
class FMMP(EpisodeDetector):
    """Category-agnostic pose estimation by recurrent feature mining.

    Backbone and neck turn images into tokens on several levels; the head mines support and query
    in turn for the support's keypoints.

    Args:
        backbone: see `EpisodeDetector`.
        neck: see `EpisodeDetector`.
        keypoint_head: config of the head; its ``embed_dims`` and ``num_levels`` follow from the
            neck unless given.
        projection: a file, safetensors, of the matrix that the backbone's own features are
            projected by where queries' starting points are matched by them (`LearnedMatching`);
            it does not train [none].
        others: further arguments of `EpisodeDetector`.

    Raises:
        InputError: sizes that do not go together, or a projection that nothing would read.
        CheckpointError: the projection's file is missing, damaged or of another backbone.
    """

    parts: ClassVar = {
        **EpisodeDetector.parts,
        'support mining': 'keypoint_head.support_miners',
        'query mining': 'keypoint_head.query_miners',
    }
    release = FMMPRelease()

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        keypoint_head: dict,
        projection: str | Path | None = None,
        **others: Any,
    ) -> None:
        super().__init__(backbone, neck, **others)
        sizes = {'embed_dims': self.neck.out_channels, 'num_levels': self.neck.num_levels}
        for name, size in sizes.items():
            if keypoint_head.get(name, size) != size:
                raise InputError(
                    f'model.keypoint_head.{name} is {keypoint_head[name]}, and the neck has '
                    f'{size}: leave it out'
                )
        self.keypoint_head = builder.build_head({**keypoint_head, **sizes})
        self.num_references = self.keypoint_head.num_references
        if projection is not None:
            if self.keypoint_head.initial_points != 'raw_matching':
                raise InputError(
                    "a projection is of the backbone's features: set "
                    "model.keypoint_head.initial_points='raw_matching', or leave it out"
                )
            projection = read_projection(projection, sum(stage_channels(self.backbone)))
        self.register_buffer('projection', projection)

    def image_features(self, imgs: Tensor) -> Features:
        """The neck's levels; behind them what queries' starting points are matched by, if any."""
        maps = backbone_maps(self.backbone, imgs)
        levels = self.neck(maps)
        matched_by = {'center': [], 'matching': levels[-1:], 'raw_matching': maps}
        maps = matched_by[self.keypoint_head.initial_points]
        if not maps:
            return levels
        described = describe(maps)
        if self.projection is not None:
            described = project(described, self.projection)
        return [*levels, described]

    def encode_supports(self, features: Features, supports: Episode) -> MinedSupports:
        """Embeddings of the supports' keypoints, mined once."""
        tokens, levels, described = self._parts(features)
        return self.keypoint_head.encode_supports(tokens, levels, supports, described)

    def decode(self, state: MinedSupports, features: Features) -> Tensor:
        """Mine query and supports in turn: (B, Q, L, K, 2)."""
        return self.keypoint_head(state, *self._parts(features))

    def samples(self, state: MinedSupports, features: Features) -> Samples | None:
        """Where the last layer's FGSA samples query and supports; None of another attention."""
        return self.keypoint_head.samples(state, *self._parts(features))

    @torch.no_grad()
    def layer_steps(self, episode: Episode, query: int | None = None) -> list[Step]:
        """Where each layer looks and how it moves the points, on the CPU.

        Args:
            episode: the images; nothing of the queries but these counts.
            query: the number of the only query to find, in place of all.
        """
        with self.in_precision():
            supports, queries = self.extract_features(episode.to(self.device))
            if query is not None:
                queries = [level[:, query : query + 1] for level in queries]
            state = self.encode_supports(supports, episode.supports.to(self.device))
            steps = self.keypoint_head.steps(state, *self._parts(queries))
        return [Step(*(v if v is None else v.float().cpu() for v in step)) for step in steps]

    def _parts(self, features: Features) -> tuple[Tensor, Levels, Tensor | None]:
        count = self.neck.num_levels
        described = features[count] if len(features) > count else None
        return *join_levels(features[:count]), described

    def losses(
        self, state: MinedSupports, features: Features, episode: Episode
    ) -> dict[str, Tensor]:
        """L1 distances by layer, ``real`` and ``mix``, (L,)."""
        target = episode.queries
        return self.keypoint_head.layer_losses(
            self.decode(state, features)[:, 0],
            target.points[:, 0],
            target.visible[:, 0],
            episode.num_keypoints,
        )
