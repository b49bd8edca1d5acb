"""Estimation: supports are encoded once, then any number of images is answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from fmmp.datasets.annotations import clean_box
from fmmp.datasets.crop import center_and_scale, to_image
from fmmp.datasets.preparation import Preparation
from fmmp.errors import InputError
from fmmp.models.episode import Episode

from .calibration import uncalibrated
from .data import data_settings
from .images import Image, image_pixels
from .inputs import check_box, check_model, check_supports
from .support import Box, Support


@dataclass(frozen=True, eq=False)
class Pose:
    """An object's keypoints in an image.

    Attributes:
        keypoints: (K_c, 2) pixels, the last layer's.
        confidence: (K_c,) in [0, 1]. Calibrated, the probability that the image shows the keypoint
            and that the error is below 0.1 of the longer side of the box, the side that PCK divides
            by. Else a score without that meaning: larger is likelier. 0 of a keypoint that no
            support shows.
        calibrated: which of the two.
        box: x, y, width, height of the object in pixels, as given; without, the whole image.
        layers: (L, K_c, 2) pixels, each layer's keypoints, of a method that refines them.
        evidence: what the confidence is made of, by name, (K_c,).
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    calibrated: bool
    box: tuple[float, float, float, float]
    layers: np.ndarray
    evidence: dict[str, np.ndarray]


class _Crop(NamedTuple):
    """An object, cut out: its box, the box inside the image, and the crop (3, H, W)."""

    box: tuple[float, float, float, float]
    inside: tuple[float, float, float, float]
    img: Tensor


class Estimator:
    """Finds the keypoints of a category's supports in images.

    The supports are encoded once, when it is made; a corrected picture becomes a further shot with
    a new estimator. It may be called from several threads.

    Args:
        model: of `init_model`; its ``cfg.data.test`` says how images are prepared, and its
            ``calibration`` makes confidences of evidence.
        supports: S annotated images of one category, S whatever the model was trained with; their
            images may be anything that `image_pixels` takes, and each may show other keypoints.
        batch_size: images that pass the model together, which bounds the memory.

    Raises:
        InputError: an argument is not what it must be; the message names it.
    """

    def __init__(self, model: nn.Module, supports: Sequence[Support], batch_size: int = 16) -> None:
        check_model(model)
        if type(batch_size) is not int or batch_size < 1:
            raise InputError(f'batch_size is {batch_size!r}: give a whole number of at least 1')
        settings = data_settings(model.cfg)
        supports = check_supports(
            supports, settings.num_keypoints, settings.padding_method.needs_links
        )
        self.model = model
        self.calibration = model.calibration
        self.batch_size = batch_size
        self.num_keypoints = len(supports[0].keypoints)
        self._prepare = Preparation(model.cfg.data.test.pipeline, settings)
        self._encode(supports)

    def __call__(
        self,
        images: Sequence[Image],
        boxes: Sequence[Box | Sequence[Box] | None] | None = None,
    ) -> list[Pose | list[Pose]]:
        """Find the keypoints in images.

        Args:
            images: see `image_pixels`.
            boxes: for each image, the object's box x, y, width, height in pixels; None for the
                whole image; or a list of these, of several objects.

        Returns:
            For each image a pose; where it has a list of boxes, a list with a pose a box.

        Raises:
            OSError: a file is missing, or no whole image.
            InputError: an argument is not what it must be; the message names it.
        """
        images = _listed(images, 'images', 'image')
        boxes = [None] * len(images) if boxes is None else _listed(boxes, 'boxes', 'box')
        if len(boxes) != len(images):
            raise InputError(
                f'boxes: {len(boxes)} for {len(images)} images; give each one, or None'
            )
        jobs = [
            (image, box, number)
            for number, (image, given) in enumerate(zip(images, boxes, strict=True))
            for box in (given if _is_list_of_boxes(given) else [given])
        ]
        poses = self._poses(iter(jobs))
        return [
            [next(poses) for _ in given] if _is_list_of_boxes(given) else next(poses)
            for given in boxes
        ]

    def stream(
        self, images: Iterable[Image], boxes: Iterable[Box | None] | None = None
    ) -> Iterator[Pose]:
        """Find the keypoints in images that come one after the other, such as a film's frames.

        No more than ``batch_size`` of them are held at a time.

        Args:
            images: see `image_pixels`; repeat one that shows several objects.
            boxes: the object's box in each; None for the whole image.

        Yields:
            A pose an image. Errors are those of a call, and come with the batch of their image.
        """
        boxes = repeat(None) if boxes is None else boxes
        return self._poses(_paired(images, iter(boxes)))

    def _encode(self, supports: Sequence[Support]) -> None:
        views = []
        for support in supports:
            box = _inside(support.box, support.image)
            points, visible = np.asarray(support.keypoints), np.asarray(support.visible)
            views.append(self._prepare(support.image, box, points, visible))
        episode = self._prepare.episode(views, supports[0].skeleton)
        episode = {name: value[None] for name, value in episode.items()}
        self._supports = self.model.encode(Episode(**episode, num_queries=0))
        self._shown = np.stack([np.asarray(support.visible) for support in supports]).any(0)

    def _poses(self, jobs: Iterator[tuple[Image, Box | None, int]]) -> Iterator[Pose]:
        while batch := list(islice(jobs, self.batch_size)):
            yield from self._estimate(batch)

    def _estimate(self, batch: list[tuple[Image, Box | None, int]]) -> list[Pose]:
        crops, last = [], None
        for image, box, number in batch:
            if last is None or image is not last:  # an image of several boxes is read once
                last, pixels = image, image_pixels(image, f'images[{number}]')
            crops.append(self._crop(pixels, box, f'boxes[{number}]'))
        found = self.model.find(self._supports, torch.stack([crop.img for crop in crops])[None])
        layers = found.points[0, :, :, : self.num_keypoints].double().numpy()
        evidence = {name: values[0].double().numpy() for name, values in found.evidence.items()}
        confidence = (self.calibration or uncalibrated)(evidence) * self._shown
        return [
            Pose(
                (points := to_image(layers[number], *center_and_scale(crop.inside)))[-1],
                confidence[number],
                self.calibration is not None,
                crop.box,
                points,
                {name: values[number] for name, values in evidence.items()},
            )
            for number, crop in enumerate(crops)
        ]

    def _crop(self, pixels: np.ndarray, box: Box | None, name: str) -> _Crop:
        check_box(box, pixels, name)
        inside = _inside(box, pixels)
        nowhere = np.zeros((0, 2)), np.zeros(0, bool)
        height, width = pixels.shape[:2]
        box = (0.0, 0.0, float(width), float(height)) if box is None else tuple(map(float, box))
        return _Crop(box, inside, self._prepare(pixels, inside, *nowhere)['img'])


def _paired(
    images: Iterable[Image], boxes: Iterator[Box | None]
) -> Iterator[tuple[Image, Box | None, int]]:
    for number, image in enumerate(images):
        try:
            yield image, next(boxes), number
        except StopIteration:
            raise InputError(f'boxes: {number}, and more images; give each one, or None') from None


def _listed(values: object, name: str, what: str) -> list:
    one = {'image': 3, 'box': 1}[what]  # an array's dimensions
    is_array = isinstance(values, np.ndarray) and values.ndim == one + 1
    if isinstance(values, str) or not (isinstance(values, Sequence) or is_array):
        raise InputError(f'{name} must be a list, one {what} each, not a {type(values).__name__}')
    return list(values)


def _is_list_of_boxes(boxes: object) -> bool:
    """Whether they are several; a box is a list of numbers, too."""
    lists = (list, tuple, np.ndarray)
    if not isinstance(boxes, lists):
        return False
    return len(boxes) == 0 or boxes[0] is None or isinstance(boxes[0], lists)


def _inside(box: Box | None, pixels: np.ndarray) -> tuple[float, float, float, float]:
    """A box clipped to its image; the whole image without one."""
    height, width = pixels.shape[:2]
    return clean_box((0, 0, width, height) if box is None else box, width, height)
