"""POMNet (Xu et al., "Pose for Everything", ECCV 2022)."""

from __future__ import annotations

from typing import Any, ClassVar

from mmpose.models import builder
from mmpose.models.builder import POSENETS
from torch import Tensor

from fmmp.errors import InputError

from ..backbones.building import backbone_maps, build_backbone, stage_channels
from ..episode import Episode
from ..heads.heatmap_matching_head import KeypointTokens
from ..layers.heatmap_decoding import decode_heatmaps
from ..layers.heatmaps import heatmaps
from .base import EpisodeDetector, Features
from .pomnet_release import POMNetRelease


@POSENETS.register_module()
class POMNet(EpisodeDetector):
    """Category-agnostic pose estimation by matching keypoints' features, as heatmaps.

    Supports and queries have a backbone each, of one config, of whose maps the last one is used.

    Args:
        backbone: config of both backbones.
        keypoint_head: config of the head; its ``in_channels`` follow from the backbones unless
            given.
        others: further arguments of `EpisodeDetector`.
    """

    batches_apart: ClassVar[bool] = True
    takes_neck: ClassVar[bool] = False
    parts: ClassVar = {
        'support backbone': 'backbone',
        'query backbone': 'query_backbone',
        'encoder': 'keypoint_head.encoder',
        'decoder': 'keypoint_head.decoder',
        'matching': 'keypoint_head.matching',
    }
    release = POMNetRelease()

    def __init__(
        self, backbone: dict, keypoint_head: dict, pretrained: str | None = None, **others: Any
    ) -> None:
        super().__init__(backbone, pretrained=pretrained, **others)
        self.query_backbone = build_backbone(backbone, pretrained)
        channels = stage_channels(self.backbone)[-1]
        if keypoint_head.get('in_channels', channels) != channels:
            raise InputError(
                f'model.keypoint_head.in_channels is {keypoint_head["in_channels"]}, and the '
                f'backbone gives {channels}: leave it out'
            )
        self.keypoint_head = builder.build_head({**keypoint_head, 'in_channels': channels})

    @property
    def weights_elsewhere(self) -> dict[str, str]:
        """Prefixes of weights that checkpoints leave out: both backbones', if they are frozen."""
        return {
            name: source
            for prefix, source in super().weights_elsewhere.items()
            for name in (prefix, f'query_{prefix}')
        }

    def query_features(self, imgs: Tensor) -> Features:
        """The second backbone's maps."""
        return backbone_maps(self.query_backbone, imgs)

    def extract_features(self, episode: Episode) -> tuple[Features, Features]:
        """Each backbone over its images."""
        return (
            self.features_of(episode.supports.imgs, self.image_features),
            self.features_of(episode.queries.imgs, self.query_features),
        )

    def encode_supports(self, features: Features, supports: Episode) -> KeypointTokens:
        """Tokens of the supports' keypoints."""
        return self.keypoint_head.encode_supports(features[-1], supports)

    def decode(self, state: KeypointTokens, features: Features) -> Tensor:
        """Where the heatmaps are largest: (B, Q, 1, K, 2)."""
        points, _ = decode_heatmaps(self.keypoint_head(state, features[-1]))
        return points[:, :, None]

    def evidence(
        self, state: KeypointTokens, features: Features, points: Tensor
    ) -> dict[str, Tensor]:
        """``peak``: each heatmap's largest value; for it the heatmaps are drawn again."""
        _, scores = decode_heatmaps(self.keypoint_head(state, features[-1]))
        return {'peak': scores}

    def losses(
        self, state: KeypointTokens, features: Features, episode: Episode
    ) -> dict[str, Tensor]:
        """Squared differences of the heatmaps, of keypoints that the query and all supports show.

        The sum over these is divided by the pixels of all K heatmaps of the batch.
        """
        found = self.keypoint_head(state, features[-1])[:, 0].float()
        target = episode.queries
        counts = state.mask & target.visible[:, 0, : state.mask.shape[1]]
        wanted = heatmaps(target.points[:, 0], target.visible[:, 0], found.shape[-1])
        difference = (found - wanted)[:, : counts.shape[1]] * counts[..., None, None]
        return {'heatmap': difference.square().sum() / found.numel()}
