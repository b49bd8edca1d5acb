"""What every method of category-agnostic pose estimation shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from mmpose.models import builder
from torch import Tensor, nn

from fmmp.errors import InputError

from ..backbones.building import backbone_maps, build_backbone, stage_channels
from ..episode import Episode
from ..layers.evidence import DescribedSupports, compare, describe_supports
from ..layers.samples import Samples
from .release import Release
from .step import step_outputs

Features = Sequence[Tensor]
"""What backbone and neck make of images: maps (B, G, C_l, H_l, W_l), a level each."""


class EncodedSupports(NamedTuple):
    """Supports that answer any number of queries.

    Attributes:
        state: what the method's ``encode_supports`` gives.
        described: what evidence compares answers with, for the categories' own keypoints.
    """

    state: Any
    described: DescribedSupports


class Found(NamedTuple):
    """Keypoints of queries, on the CPU.

    Attributes:
        points: (B, Q, L, K, 2) float32, each layer's points in [0, 1]; the last layer's are the
            answer.
        evidence: numbers (B, Q, K_c) that speak for or against it, by name.
    """

    points: Tensor
    evidence: dict[str, Tensor]


class EpisodeDetector(nn.Module, ABC):
    """Finds the keypoints of an episode's supports in its queries.

    A method supplies `encode_supports`, `decode` and `losses`, and states what it
    needs in the attributes below. Everything else is here: backbone and neck, which all images of
    a batch pass together; device and precision; queries that share their supports' encoding and
    pass in chunks; the sum of the losses.

    Args:
        backbone: config of a backbone in MMPose's registry that gives one map a level, fine to
            coarse.
        neck: config of a neck, which turns them into the method's features; its ``in_channels``
            follow from the backbone unless given. None: the backbone's maps are the features.
        test_cfg: ``query_batch_size``: queries of an episode that are decoded together [all].
        pretrained: the backbone's initial weights, such as ``torchvision://resnet50``, or a file.

    Attributes:
        image_multiple: what the images' side must be a multiple of.
        num_references: structural references of a keypoint that the method reads; 0 for none.
        takes_neck: whether there may be a neck between the method's backbone and its head.
        reads_skeleton: whether the method reads the category's links.
        trainable: whether the method has weights to train; without, it needs no checkpoint.
        batches_apart: whether in training the images of an episode pass one after the other, each
            with the batch's others in its place, so that batch norm sees every shot's batch and the
            query's by itself.
        parts: modules by the name of the part that they are, between which analysis divides
            operations and time.
        release: the names of a release's checkpoints, if there is one.
        precision: what `forward` computes in; torch.bfloat16 where autocast allows.
        calibration: makes confidences of evidence, arrays by name; None unless one was fitted.

    Raises:
        InputError: settings that do not go together, or weights that do not fit.
    """

    num_references: int = 0
    takes_neck: ClassVar[bool] = True
    reads_skeleton: bool = False
    trainable: ClassVar[bool] = True
    batches_apart: ClassVar[bool] = False
    parts: ClassVar[Mapping[str, str]] = {'backbone': 'backbone', 'neck': 'neck'}
    release: ClassVar[Release | None] = None

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        test_cfg: dict | None = None,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(backbone, pretrained)
        self.neck = None
        if neck is not None:
            if not self.takes_neck:
                raise InputError(f'model.neck: {type(self).__name__} has none: leave it out')
            channels = stage_channels(self.backbone)
            if tuple(neck.get('in_channels', channels)) != channels:
                raise InputError(
                    f'model.neck.in_channels is {neck["in_channels"]}, and the backbone gives '
                    f'{channels}: leave it out'
                )
            self.neck = builder.build_neck({**neck, 'in_channels': channels})
        self.test_cfg = test_cfg or {}
        for name, value in self.test_cfg.items():
            if name != 'query_batch_size':
                raise InputError(f'model.test_cfg.{name}: no such setting; choose query_batch_size')
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(
                    f'model.test_cfg.{name} is {value!r}: give a whole number of at least 1'
                )
        self.precision = torch.float32
        self.calibration: Callable | None = None

    # What a method supplies.

    @abstractmethod
    def encode_supports(self, features: Features, supports: Episode) -> Any:
        """What the queries need to know of their supports, once an episode.

        Args:
            features: the supports', (B, S, …).
            supports: the annotated images.

        Returns:
            The state that `decode` takes, whatever the number of queries.
        """

    @abstractmethod
    def decode(self, state: Any, features: Features) -> Tensor:
        """Find the keypoints of Q queries an episode.

        Args:
            state: what `encode_supports` gave.
            features: the queries', (B, Q, …).

        Returns:
            (B, Q, L, K, 2), each layer's points in [0, 1]; the last layer's are the answer. Those
            of padded slots mean nothing and nobody reads them: a method may compute them, as FMMP
            does, or leave them out and give zero.
        """

    def evidence(self, state: Any, features: Features, points: Tensor) -> dict[str, Tensor]:
        """What else a method knows of its answers' worth, such as a heatmap's peak; optional.

        All methods' answers are judged by what the images say (`fmmp.models.layers.evidence`) and
        by the last layer's step. What is given here joins them, by names of the method's own, in
        the calibration of confidence.

        Args:
            state: what `encode_supports` gave.
            features: the queries', (B, Q, …).
            points: what `decode` gave for them, (B, Q, L, K, 2).

        Returns:
            By name, finite numbers (B, Q, K).
        """
        return {}

    def samples(self, state: Any, features: Features) -> Samples | None:
        """Where a method looks for each keypoint, to be shown to people; optional.

        Args:
            state: what `encode_supports` gave.
            features: the queries', (B, Q, …).

        Returns:
            None of a method that does not say it.
        """
        return None

    def losses(self, state: Any, features: Features, episode: Episode) -> dict[str, Tensor]:
        """The losses of a batch of episodes of one query, to be summed.

        Args:
            state: what `encode_supports` gave.
            features: the queries', (B, 1, …).
            episode: the batch, with ``num_keypoints``.

        Returns:
            By kind, a number or one a layer (L,).
        """
        raise InputError(f'{type(self).__name__} has no weights to train: test it as it is')

    @property
    def image_multiple(self) -> int:
        """What the images' side must be a multiple of: the backbone's, 32 unless it says so."""
        return getattr(self.backbone, 'size_divisor', 32)

    @property
    def weights_elsewhere(self) -> dict[str, str]:
        """Prefixes of weights that checkpoints leave out, and where the model has them from.

        They are those of a frozen backbone that loads its ``weights`` whenever it is built.
        """
        source = getattr(self.backbone, 'weights', None)
        return {'backbone.': source} if source else {}

    # What it has for that.

    def image_features(self, imgs: Tensor) -> Features:
        """Backbone and neck: maps (B, C_l, H_l, W_l) of images (B, 3, H, W)."""
        maps = backbone_maps(self.backbone, imgs)
        return maps if self.neck is None else self.neck(maps)

    def query_features(self, imgs: Tensor) -> Features:
        """`image_features`, of queries' images, where a method looks at them otherwise."""
        return self.image_features(imgs)

    def extract_features(self, episode: Episode) -> tuple[Features, Features]:
        """Backbone and neck over all images at once, or in training as ``batches_apart`` says.

        Returns:
            the supports' and the queries' features, (B, S, …) and (B, Q, …).
        """
        maps = self.features_of(episode.imgs, self.image_features)
        shots = episode.num_shots
        return [level[:, :shots] for level in maps], [level[:, shots:] for level in maps]

    def features_of(
        self, imgs: Tensor, image_features: Callable[[Tensor], Features]
    ) -> list[Tensor]:
        """Maps (B, G, C_l, H_l, W_l) of an episode's images (B, G, 3, H, W).

        Args:
            imgs: the images.
            image_features: what gives the maps of a batch of images.
        """
        if self.training and self.batches_apart:
            images = [image_features(batch) for batch in imgs.unbind(1)]
            return [torch.stack(level, dim=1) for level in zip(*images, strict=True)]
        maps = image_features(imgs.flatten(0, 1))
        return [level.unflatten(0, imgs.shape[:2]) for level in maps]

    def predict(self, episode: Episode) -> Tensor:
        """Find the queries' keypoints; supports are encoded once for all of an episode's queries.

        Returns:
            (B, Q, L, K, 2), each layer's points in [0, 1]; the last layer's are the answer.
        """
        self._check(episode)
        supports, queries = self.extract_features(episode)
        return self.decode_in_chunks(self.encode_supports(supports, episode.supports), queries)

    def decode_in_chunks(self, state: Any, features: Features) -> Tensor:
        """`decode`, ``query_batch_size`` queries of each episode at a time."""
        size = self.test_cfg.get('query_batch_size') or features[0].shape[1]
        chunks = zip(*(level.split(size, dim=1) for level in features), strict=True)
        return torch.cat([self.decode(state, chunk) for chunk in chunks], dim=1)

    def losses_by_kind(self, episode: Episode) -> dict[str, Tensor]:
        """`losses`, from the images."""
        self._check(episode)
        supports, queries = self.extract_features(episode)
        return self.losses(self.encode_supports(supports, episode.supports), queries, episode)

    def _check(self, episode: Episode) -> None:
        index = episode.reference_index
        given = 0 if index is None else index.shape[-1]
        if given < self.num_references:
            raise InputError(
                f'the model reads {self.num_references} structural references of a keypoint and '
                f'the data gives {given}: raise data.data_cfg.num_references'
            )
        if self.reads_skeleton and episode.skeleton is None:
            raise InputError(
                'the model reads the skeleton and the data gives none: set data.data_cfg.num_links'
            )

    # What supports that outlive their queries need.

    @torch.no_grad()
    def encode(self, supports: Episode) -> EncodedSupports:
        """`encode_supports`, from the images of an episode without queries.

        Args:
            supports: the annotated images, ``num_queries`` being 0.

        Returns:
            What `find` takes, as often as wanted.
        """
        self._check(supports)
        with self.in_precision():
            supports = supports.to(self.device)
            features, _ = self.extract_features(supports)
            state = self.encode_supports(features, supports)
        own = slice(supports.points.shape[2])
        if supports.num_keypoints is not None:
            own = slice(int(supports.num_keypoints.max()))
        described = describe_supports(
            features, supports.points[:, :, own], supports.visible[:, :, own]
        )
        return EncodedSupports(state, described)

    @torch.no_grad()
    def find(self, supports: EncodedSupports, imgs: Tensor) -> Found:
        """`decode`, from the queries' images, with the evidence for it.

        Args:
            supports: what `encode` gave.
            imgs: (B, Q, 3, H, W), normalised crops.
        """
        with self.in_precision():
            features = self.features_of(imgs.to(self.device), self.query_features)
            points = self.decode_in_chunks(supports.state, features).float()
            numbers = self.evidence(supports.state, features, points)
        count = supports.described.keypoints.shape[1]
        numbers = {
            **compare(supports.described, features, points[:, :, -1, :count]),
            'last_step': _last_step(points),
            **numbers,
        }
        return Found(
            points.cpu(), {name: v[:, :, :count].float().cpu() for name, v in numbers.items()}
        )

    @torch.no_grad()
    def look(self, supports: EncodedSupports, imgs: Tensor) -> Samples | None:
        """`samples`, from the queries' images, of the categories' own keypoints, on the CPU.

        Args:
            supports: what `encode` gave.
            imgs: (B, Q, 3, H, W), normalised crops.

        Returns:
            Those of the supports, unless the method says others, are their visible keypoints.
        """
        with self.in_precision():
            features = self.features_of(imgs.to(self.device), self.query_features)
            found = self.samples(supports.state, features)
        if found is None:
            return None
        points, shown = supports.described.points, supports.described.visible[..., None]
        own = found.supports
        if own is None:
            own = torch.cat([points, shown], dim=-1)[:, None, :, :, None]
            own = own.expand(-1, imgs.shape[1], -1, -1, -1, -1)
        count = points.shape[2]
        return Samples(
            found.queries[:, :, :count].float().cpu(), own[:, :, :, :count].float().cpu()
        )

    # What MMCV's runner and users call.

    def forward(self, return_loss: bool = True, **batch: Any) -> dict:
        """Losses for training, or predictions, in the model's precision.

        Args:
            return_loss: which of the two.
            batch: a batch as the data sets give it: what `Episode` holds, and ``index``.

        Returns:
            `losses`; or ``points``, (B, Q, L, K, 2) float32 on the CPU, and ``index``, the
            list of the episodes' numbers; with a calibration also ``confidence``, (B, Q, K_c), 0 of
            a keypoint that no support shows.
        """
        episode = Episode.of(batch).to(self.device)
        if not return_loss and self.calibration is not None:
            supports = self.encode(episode.supports)
            found = self.find(supports, episode.queries.imgs)
            evidence = {name: values.numpy() for name, values in found.evidence.items()}
            shown = supports.described.visible.any(1)[:, None].cpu()
            confidence = torch.as_tensor(self.calibration(evidence)) * shown
            return {
                'points': found.points,
                'confidence': confidence,
                'index': batch['index'].tolist(),
            }
        with self.in_precision():
            if return_loss:
                return self.losses_by_kind(episode)
            points = self.predict(episode)
        return {'points': points.float().cpu(), 'index': batch['index'].tolist()}

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return next(self.parameters()).device

    def in_precision(self) -> torch.autocast:
        """The context in which the model computes: its precision on its device."""
        mixed = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision if mixed else None, enabled=mixed)

    def train_step(self, batch: dict, *_: object, **__: object) -> dict:
        """The losses of a batch, as MMCV's runner wants them."""
        return step_outputs(self(**batch), batch)

    def loss(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor | None = None,
        num_keypoints: Tensor | None = None,
        **fields: Any,
    ) -> dict[str, Tensor]:
        """Each kind's loss, such as ``loss_real``, to be summed; arguments as `Episode` has them.

        The query, last of the images, gives the targets.
        """
        episode = Episode(imgs, points, visible, reference_index, num_keypoints, **fields)
        by_kind = self.losses_by_kind(episode)
        return {f'loss_{kind}': values.sum() for kind, values in by_kind.items()}

    def forward_points(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor | None = None,
        **fields: Any,
    ) -> Tensor:
        """Find the keypoints of one query, last of the images: (B, L, K, 2) in [0, 1]."""
        return self.predict(Episode(imgs, points, visible, reference_index, **fields))[:, 0]

    def predict_episodes(
        self,
        imgs: Tensor,
        points: Tensor,
        visible: Tensor,
        reference_index: Tensor | None = None,
        num_queries: int = 1,
        **fields: Any,
    ) -> Tensor:
        """Find the keypoints of Q queries, last of the images: (B, Q, K, 2), the last layer's."""
        episode = Episode(imgs, points, visible, reference_index, num_queries=num_queries, **fields)
        return self.predict(episode)[:, :, -1]


def _last_step(points: Tensor) -> Tensor:
    """How far the last of the layers moved each keypoint, of points (B, Q, L, K, 2).

    Returns:
        (B, Q, K), log(step + 0.01) with steps in sides of the crop; of one layer, no step.
    """
    step = points[:, :, -1] - points[:, :, max(0, points.shape[2] - 2)]
    return (step.norm(dim=-1) + 0.01).log()
