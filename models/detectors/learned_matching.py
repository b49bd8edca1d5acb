"""Matching under a projection of the features that is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmpose.models.builder import POSENETS
from torch import Tensor, nn

from fmmp.errors import InputError

from ..episode import Episode
from ..layers.matching import (
    MatchedQueries,
    descriptors_at,
    expected_accuracy,
    turned_and_mirrored,
)
from ..layers.precision import in_float32
from .feature_matching import FeatureMatching
from .step import mean_over_processes


@POSENETS.register_module()
class LearnedMatching(FeatureMatching):
    """Learns the matrix A by which `FeatureMatching` projects descriptors, or the backbone too.

    A is zero at first, so that training starts from matching without training, of which only the
    features change: temperature and prior stay, and no answer can be hedged by them. Every image of
    an episode is matched with every other, supports and query alike. What is learned is the
    expected PCK of the cells (`expected_accuracy`), with the prior and, for the looks to tell more
    by themselves, without it.

    Args:
        backbone: see `FeatureMatching`; not frozen where it is to learn.
        radii: PCK's thresholds, in sides of the crop; those of the paper, 0.05 to 0.2 of a box that
            takes four fifths of it.
        looks_weight: of the loss without the prior.
        learn_backbone: whether the backbone learns too; the running means of its batch norms stay.
        kept: names of its modules that stay all the same, such as early stages.
        others: further arguments of `FeatureMatching`; A starts from ``projection``, if given.

    Raises:
        InputError: radii or a weight that mean nothing; a backbone that is to learn and is frozen,
            or has its position bias removed; modules that are to stay and are none.
    """

    trainable: ClassVar[bool] = True

    def __init__(
        self,
        backbone: dict,
        radii: Sequence[float] = (0.04, 0.08, 0.12, 0.16),
        looks_weight: float = 0.5,
        learn_backbone: bool = False,
        kept: Sequence[str] = (),
        **others: Any,
    ) -> None:
        super().__init__(backbone, **others)
        if not isinstance(radii, Sequence) or not radii or min(radii) <= 0:
            raise InputError(f'radii is {radii!r}: give numbers above 0')
        if looks_weight < 0:
            raise InputError(f'looks_weight is {looks_weight}: give at least 0')
        if learn_backbone and backbone.get('frozen'):
            raise InputError(
                'learn_backbone: a frozen one does not: set model.backbone.frozen=False'
            )
        if learn_backbone and self.remove_position_bias:
            raise InputError(
                'learn_backbone: a position bias is of a backbone that stays: set '
                'model.remove_position_bias=False'
            )
        if isinstance(kept, str) or (kept and not learn_backbone):
            raise InputError(f'kept is {kept!r}: give a list of names, and learn_backbone=True')
        modules = dict(self.backbone.named_modules())
        if none := [name for name in kept if name not in modules]:
            raise InputError(f'kept: the backbone has no module {none[0]!r}')
        self.backbone.requires_grad_(learn_backbone)
        for name in kept:
            modules[name].requires_grad_(False)
        self.radii, self.looks_weight = radii, looks_weight
        start = torch.zeros(self.channels, self.channels)
        if self.projection is not None:
            start = self.projection
        del self.projection  # a buffer, of what does not learn
        self.projection = nn.Parameter(start)  # A

    def losses_by_kind(self, episode: Episode) -> dict[str, Tensor]:
        """One less the expected accuracy over all ordered pairs of an episode's images.

        Returns:
            ``place``, with the prior; ``looks``, without, and with its weight.
        """
        self._check(episode)
        own = slice(int(episode.num_keypoints.max()))
        points, visible = episode.points[:, :, own], episode.visible[:, :, own]
        number = torch.arange(points.shape[2], device=points.device)
        visible = visible & (number < episode.num_keypoints[:, None])[:, None]  # none that pad
        (described,) = self.features_of(episode.imgs, self.image_features)
        with in_float32(described):
            return self._losses(described.float(), points, visible)

    def _losses(self, described: Tensor, points: Tensor, visible: Tensor) -> dict[str, Tensor]:
        at_points = descriptors_at(points.flatten(0, 1), described.flatten(0, 1))
        at_points = at_points.unflatten(0, points.shape[:2])
        candidates = turned_and_mirrored(
            points.flatten(0, 1), visible.flatten(0, 1), self.matcher.turns, self.matcher.mirrored
        ).unflatten(0, points.shape[:2])
        losses, shown = [], []
        images = range(points.shape[1])
        for support in images:
            others = [image for image in images if image != support]
            similarity = torch.einsum(
                'bkc,bqchw->bqkhw', at_points[:, support], described[:, others]
            )
            places = candidates[:, support, None].expand(-1, len(others), -1, -1, -1)
            matched = MatchedQueries(similarity, places, visible[:, support])
            looks = self.matcher.log_temperature.exp() * similarity
            losses.append(
                torch.stack(
                    [
                        1 - expected_accuracy(logits, points[:, others], self.radii)
                        for logits in (self.matcher.logits(matched), looks)
                    ]
                )
            )
            shown.append(visible[:, support, None] & visible[:, others])
        shown = torch.cat(shown, dim=1)
        losses = torch.cat(losses, dim=2) * shown  # (2, B, pairs, K)
        # Divided by the mean, the processes' losses have the mean over all their pairs as theirs.
        pairs = mean_over_processes(shown.sum().float()).clamp(min=1)
        place, looks = losses.sum((1, 2, 3)) / pairs
        return {'place': place, 'looks': self.looks_weight * looks}
