"""Estimation: supports are encoded once, then any number of images is answered."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from fmmp.datasets.annotations import clean_box
from fmmp.datasets.crop import center_and_scale, to_image
from fmmp.datasets.preparation import Preparation
from fmmp.errors import InputError
from fmmp.models.detectors.base import EncodedSupports
from fmmp.models.episode import Episode

from .calibration import uncalibrated
from .data import data_settings
from .framing import MARGIN, box_around, margins_of
from .images import Image, image_pixels
from .inputs import check_box, check_model, check_supports
from .support import Box, Support, shown_keypoints


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
        box: x, y, width, height in pixels of what the object was looked for in: as given; without,
            the whole image, or where a second look was taken.
        layers: (L, K_c, 2) pixels, each layer's keypoints, of a method that refines them.
        evidence: what the confidence is made of, by name, (K_c,).
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    calibrated: bool
    box: tuple[float, float, float, float]
    layers: np.ndarray
    evidence: dict[str, np.ndarray]


class Looked(NamedTuple):
    """Where a method looks for the keypoints in an image, and in the supports.

    A sample is x, y in pixels and its weight, the heaviest first.

    Attributes:
        image: (K_c, N, 3).
        supports: for each, (K_c, N', 3); a weight of 0 stands for a keypoint that is not shown.
    """

    image: np.ndarray
    supports: list[np.ndarray]


View = Literal['whole', 'box', 'near']


class _Crop(NamedTuple):
    """An object, cut out: its box, the box inside the image, and what `Preparation` gives."""

    box: tuple[float, float, float, float]
    inside: tuple[float, float, float, float]
    view: dict


class Estimator:
    """Finds the keypoints of a category's supports in images.

    The supports are encoded once, when they are first needed; a corrected picture becomes a further
    shot with a new estimator. It may be called from several threads.

    Where an image is looked through whole, the supports are shown whole, too: cut out by their
    boxes, their objects would be larger than the one that is sought.

    Args:
        model: of `init_model`; its ``cfg.data.test`` says how images are prepared, and its
            ``calibration`` makes confidences of evidence.
        supports: S annotated images of one category, S whatever the model was trained with; their
            images may be anything that `image_pixels` takes, and each may show other keypoints.
        batch_size: images that pass the model together, which bounds the memory.
        second_look: look a second time where no box is given: in a box around what was found in the
            whole image, as the supports' boxes lie around their keypoints (a tenth of their
            extent beyond them, without). It takes twice the time.

    Raises:
        InputError: an argument is not what it must be; the message names it.
    """

    def __init__(
        self,
        model: nn.Module,
        supports: Sequence[Support],
        batch_size: int = 16,
        second_look: bool = False,
    ) -> None:
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
        self._shown = shown_keypoints(supports)
        near, self._margins = _framed(supports) if second_look else (None, None)
        self._boxes: dict[View, list[Box | None] | None] = {
            'whole': [None] * len(supports),
            'box': [support.box for support in supports],
            'near': near,
        }
        self._crops = {view: self._cut(supports, view) for view, at in self._boxes.items() if at}
        self._skeleton = supports[0].skeleton
        self._encoded: dict[str, EncodedSupports] = {}
        self._lock = threading.Lock()

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

    def encoded(self, view: View) -> EncodedSupports:
        """The supports, encoded at the first call.

        Args:
            view: ``whole`` images, for queries that are whole ones; cut out by their ``box``, for
                those with a box; or ``near``, for a second look.
        """
        key = repr(self._boxes[view])  # what is cut out alike is encoded once
        with self._lock:
            if key not in self._encoded:
                views = [crop.view for crop in self._crops[view]]
                episode = self._prepare.episode(views, self._skeleton)
                episode = {name: value[None] for name, value in episode.items()}
                self._encoded[key] = self.model.encode(Episode(**episode, num_queries=0))
            return self._encoded[key]

    def look(self, image: Image, box: Box | None = None) -> Looked | None:
        """Where the method looks for the keypoints in an image.

        Args:
            image: see `image_pixels`.
            box: the object's; None for the whole image.

        Returns:
            None of a method that does not say it.

        Raises:
            OSError, InputError: as a call.
        """
        pixels = image_pixels(image, 'image')
        view: View = 'whole' if box is None else 'box'
        crop = self._crop(pixels, box, 'box')
        if box is None and self._margins is not None:
            (pose,) = self._find([crop], view)
            again = self._again(pose, pixels)
            crop, view = (again, 'near') if again else (crop, view)
        found = self.model.look(self.encoded(view), crop.view['img'][None, None])
        if found is None:
            return None

        def in_pixels(samples: Tensor, crop: _Crop) -> np.ndarray:
            samples = samples.double().numpy()
            places = to_image(samples[..., :2], *center_and_scale(crop.inside))
            return np.concatenate([places, samples[..., 2:]], axis=-1)

        supports = zip(found.supports[0, 0], self._crops[view], strict=True)
        return Looked(in_pixels(found.queries[0, 0], crop), [in_pixels(*one) for one in supports])

    def _cut(self, supports: Sequence[Support], view: View) -> list[_Crop]:
        crops = []
        for support, box in zip(supports, self._boxes[view], strict=True):
            inside = _inside(box, support.image)
            labels = np.asarray(support.keypoints), np.asarray(support.visible)
            crops.append(_Crop(inside, inside, self._prepare(support.image, inside, *labels)))
        return crops

    def _poses(self, jobs: Iterator[tuple[Image, Box | None, int]]) -> Iterator[Pose]:
        while batch := list(islice(jobs, self.batch_size)):
            yield from self._estimate(batch)

    def _estimate(self, batch: list[tuple[Image, Box | None, int]]) -> list[Pose]:
        images, crops, last = [], [], None
        for image, box, number in batch:
            if last is None or image is not last:  # an image of several boxes is read once
                last, pixels = image, image_pixels(image, f'images[{number}]')
            crops.append(self._crop(pixels, box, f'boxes[{number}]'))
            images.append(pixels if box is None and self._margins is not None else None)
        poses: list[Pose | None] = [None] * len(batch)
        jobs: list[tuple[View, dict[int, _Crop]]] = [
            ('whole', {n: crops[n] for n, (_, box, _) in enumerate(batch) if box is None}),
            ('box', {n: crops[n] for n, (_, box, _) in enumerate(batch) if box is not None}),
        ]
        for view, chosen in jobs:
            for number, pose in zip(chosen, self._find([*chosen.values()], view), strict=True):
                poses[number] = pose
            if view == 'whole' and self._margins is not None:
                again = {n: self._again(poses[n], images[n]) for n in chosen}
                jobs.append(('near', {n: crop for n, crop in again.items() if crop is not None}))
        return poses

    def _again(self, pose: Pose, pixels: np.ndarray) -> _Crop | None:
        """The crop for a second look; None where what was found frames nothing."""
        box = box_around(pose.keypoints[self._shown], self._margins, pixels.shape[1::-1])
        return None if box is None else self._crop(pixels, box, 'box')

    def _find(self, crops: Sequence[_Crop], view: View) -> list[Pose]:
        if not crops:
            return []
        imgs = torch.stack([crop.view['img'] for crop in crops])[None]
        found = self.model.find(self.encoded(view), imgs)
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
        return _Crop(box, inside, self._prepare(pixels, inside, *nowhere))


def _framed(supports: Sequence[Support]) -> tuple[list[Box] | None, np.ndarray | None]:
    """Each support's box for a second look, and their mean margins; None where one has none."""
    boxes, margins = [], []
    for support in supports:
        own = np.asarray(support.keypoints, float)[np.asarray(support.visible)]
        box = support.box
        if box is None:
            box = box_around(own, MARGIN, support.image.shape[1::-1])
        if box is None or max(np.ptp(own, axis=0)) < 1:
            return None, None
        boxes.append(tuple(map(float, box)))
        margins.append(margins_of(own, box))
    return boxes, np.mean(margins, axis=0)


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
