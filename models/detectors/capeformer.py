"""CapeFormer, the method."""

from __future__ import annotations

from typing import Any, ClassVar

from mmpose.models import builder
from mmpose.models.builder import POSENETS
from torch import Tensor

from fmmp.errors import InputError

from ..backbones.building import stage_channels
from ..episode import Episode
from ..heads.two_stage_head import SupportKeypoints, TwoStagePrediction
from .base import EpisodeDetector, Features
from .capeformer_release import CapeFormerRelease


@POSENETS.register_module()
class CapeFormer(EpisodeDetector):
    """Category-agnostic pose estimation in two stages: proposals by matching, then refined.

    Shi et al., "Matching Is Not Enough: A Two-Stage Framework for Category-Agnostic Pose
    Estimation", CVPR 2023.

    Args:
        backbone: see `EpisodeDetector`; the last map counts.
        keypoint_head: config of the head; its ``in_channels`` follow from the backbone.
        others: further arguments of `EpisodeDetector`.
    """

    batches_apart = True
    takes_neck: ClassVar[bool] = False
    parts: ClassVar = {
        'backbone': 'backbone',
        'encoder': 'keypoint_head.encoder',
        'proposals': 'keypoint_head.proposals',
        'decoder': 'keypoint_head.decoder',
    }
    release = CapeFormerRelease()

    def __init__(self, backbone: dict, keypoint_head: dict, **others: Any) -> None:
        super().__init__(backbone, **others)
        channels = stage_channels(self.backbone)[-1]
        if keypoint_head.get('in_channels', channels) != channels:
            raise InputError(
                f'model.keypoint_head.in_channels is {keypoint_head["in_channels"]}, and the '
                f'backbone gives {channels}: leave it out'
            )
        self.keypoint_head = builder.build_head({**keypoint_head, 'in_channels': channels})
        self.reads_skeleton = self.keypoint_head.reads_skeleton

    def encode_supports(self, features: Features, supports: Episode) -> SupportKeypoints:
        """The supports' features at their keypoints."""
        return self.keypoint_head.encode_supports(features[-1], supports)

    def decode(self, state: SupportKeypoints, features: Features) -> Tensor:
        """Propose and refine: (B, Q, L, K, 2); zero, as they are padded, in slots left out."""
        maps = features[-1]
        batch, queries = maps.shape[:2]
        points = self._find(state, maps).points  # (B·Q, L, K', 2)
        padded = points.new_zeros(*points.shape[:2], state.num_slots, 2)
        padded[:, :, : points.shape[2]] = points
        return padded.unflatten(0, (batch, queries))

    def losses(
        self, state: SupportKeypoints, features: Features, episode: Episode
    ) -> dict[str, Tensor]:
        """The similarity's, the proposals' and each layer's (L,), of keypoints that all show."""
        prediction = self._find(state, features[-1])
        return self.keypoint_head.losses(state, prediction, episode.queries)

    def _find(self, state: SupportKeypoints, maps: Tensor) -> TwoStagePrediction:
        """What the head finds in maps (B, Q, C, H, W) of Q queries an episode: (B·Q, …)."""
        state = state.for_each_query(maps.shape[1])
        return self.keypoint_head(state, maps.flatten(0, 1))
