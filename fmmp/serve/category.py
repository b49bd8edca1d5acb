"""A category as a labelling tool knows it: its keypoints' names, and the shots that show them."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from fmmp import formats
from fmmp.apis import Estimator, Support, read_support
from fmmp.apis.estimator import Pose
from fmmp.apis.images import image_pixels
from fmmp.apis.inputs import check_support
from fmmp.apis.support import Box
from fmmp.datasets.coco import stays_inside
from fmmp.errors import InputError

MOST_SHOTS = 5
MARGIN = 0.1  # of a box around keypoints, on each side, as a share of its longer side


class Category:
    """Keypoints that are found in pictures by a category's shots, given ones and corrected ones.

    Args:
        name: the category's.
        names: the keypoints', K of them.
        skeleton: links, counted from 0.
        given: shots that stay.
    """

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        skeleton: Sequence[tuple[int, int]] = (),
        given: Sequence[Support] = (),
    ) -> None:
        self.name, self.names, self.skeleton = name, tuple(names), tuple(skeleton)
        self.given = [replace(support, skeleton=self.skeleton) for support in given]
        self._learnt: dict[Hashable, Support] = {}
        self._estimator: Estimator | None = None
        self._lock = threading.Lock()

    @property
    def shots(self) -> list[Support]:
        """The given shots and the newest of the others, MOST_SHOTS of these at most."""
        return [*self.given, *self._learnt.values()]

    @property
    def version(self) -> str:
        """Tells these shots from others, so that a tool sees that its predictions are old."""
        points = b''.join(shot.keypoints.tobytes() + repr(shot.box).encode() for shot in self.shots)
        return f'{len(self.shots)}-shot-{zlib.crc32(points):08x}'

    def learn(self, key: Hashable, support: Support) -> None:
        """Take a further shot; one of the same key is replaced, and the oldest forgotten.

        Raises:
            InputError: it cannot be used; the message says why.
        """
        support = check_support(replace(support, skeleton=self.skeleton), f'{self.name!r}')
        if len(support.keypoints) != len(self.names):
            raise InputError(f'{self.name!r} has {len(self.names)} keypoints')
        with self._lock:
            self._learnt.pop(key, None)
            self._learnt[key] = support
            while len(self._learnt) > MOST_SHOTS:
                self._learnt.pop(next(iter(self._learnt)))
            self._estimator = None

    def forget(self, key: Hashable) -> None:
        """Do without a shot that was learnt."""
        with self._lock:
            if self._learnt.pop(key, None) is not None:
                self._estimator = None

    def find(self, model: nn.Module, image: np.ndarray, boxes: Sequence[Box | None]) -> list[Pose]:
        """Find the keypoints in a picture, in each of its boxes; None for the whole picture.

        Raises:
            InputError: there are no shots, or a box cannot be used.
        """
        with self._lock:
            if not self.shots:
                raise InputError(f'no picture of {self.name!r} is labelled yet')
            if self._estimator is None:
                self._estimator = Estimator(model, self.shots, second_look=True)
            (poses,) = self._estimator([image], [boxes])
            return poses

    def under(self, names: Sequence[str], skeleton: Sequence[tuple[int, int]]) -> list[Support]:
        """The shots for a tool's names of keypoints: matched by name, or by order if unnamed.

        Keypoints that only the tool has are not labelled in them.
        """
        if set(self.names) <= set(names):
            order = [list(names).index(name) for name in self.names]
        elif len(names) == len(self.names) and all(name.isdecimal() for name in self.names):
            order = list(range(len(names)))
        else:
            return []
        shots = []
        for shot in self.shots:
            keypoints, visible = np.zeros((len(names), 2)), np.zeros(len(names), bool)
            keypoints[order], visible[order] = shot.keypoints, shot.visible
            shots.append(replace(shot, keypoints=keypoints, visible=visible, skeleton=skeleton))
        return shots


def read_category(
    image: str | Path, keypoint_file: str | Path, category: str | None = None
) -> Category:
    """A category of one annotated picture.

    Args:
        image: the picture.
        keypoint_file: as `fmmp.apis.read_support` reads it; ``names``, the keypoints' names, and
            ``category`` may be in it, too.
        category: the category's name [the file's, else the file's name].
    """
    support = read_support(image, keypoint_file)
    content = json.loads(Path(keypoint_file).read_text(encoding='utf-8'))
    names = content.get('names') or [str(number + 1) for number in range(len(support.keypoints))]
    name = category or content.get('category') or Path(keypoint_file).stem
    count = len(support.keypoints)
    if not isinstance(names, list) or len(names) != count:
        raise InputError(f"{keypoint_file}: give 'names' as a list of {count}, one a keypoint")
    formats.Labels(name, names, support.skeleton).check(keypoint_file)
    return Category(name, names, support.skeleton, [support])


def read_labels(
    path: str | Path, images: str | Path | None = None, category: str | None = None
) -> Category:
    """A category of a labelling tool's file: its objects with the most keypoints are the shots.

    Args:
        path: a file of any of `fmmp.formats.FORMATS` but COCO results.
        images: the folder of its images [the file's, or the folder itself; of Ultralytics' files,
            that of their training images].
        category: the category's name, if there are several.
    """
    path = Path(path)
    kind = formats.recognise(path)
    options = {'category': category}
    folder = path if path.is_dir() else path.parent
    if kind == 'ultralytics':
        options['images'] = images = images or folder / 'images' / 'train'
    labels = formats.read(path, kind, **options)
    items = sorted(labels.items, key=lambda item: -int((item.visible > 0).sum()))
    folder = folder if images is None else Path(images)
    given = []
    for item in items[:MOST_SHOTS]:
        if not stays_inside(item.image):
            raise InputError(f'{path}: the image {item.image!r} lies outside of its folder')
        pixels = image_pixels(folder / item.image)
        if item.size not in (None, pixels.shape[:2]):
            (height, width), (upright, across) = item.size, pixels.shape[:2]
            raise InputError(
                f'{path}: {item.image} is labelled as {width} × {height} pixels, and the image has '
                f'{across} × {upright}, turned upright'
            )
        support = Support(pixels, item.keypoints, item.visible > 0, labels.skeleton, item.box)
        given.append(check_support(support, item.image))
    if not given:
        raise InputError(f'{path}: nothing in it is labelled')
    return Category(labels.category, labels.names, labels.skeleton, given)


def suggested(pose: Pose, threshold: float = 0.0) -> np.ndarray:
    """Which keypoints to suggest, (K,) bool; those that no shot shows have no confidence."""
    return (pose.confidence > 0) & (pose.confidence >= threshold)


def box_around(points: np.ndarray, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box x, y, width, height around keypoints, with a margin, inside an image.

    Args:
        points: (K, 2) pixels.
        size: the image's height and width.
    """
    height, width = size
    low, high = points.min(axis=0), points.max(axis=0)
    border = max(MARGIN * float((high - low).max()), 1.0)
    left, top = np.clip(low - border, 0, (width - 1, height - 1))
    right, bottom = np.clip(high + border, (left + 1, top + 1), (width, height))
    return float(left), float(top), float(right - left), float(bottom - top)


def given_category(
    support: Sequence[str | Path] = (),
    keypoints: Sequence[str | Path] = (),
    labels: str | Path | None = None,
    images: str | Path | None = None,
    category: str | None = None,
) -> Category | None:
    """The category that someone begins with: of annotated pictures, or of a tool's file.

    Args:
        support: annotated pictures.
        keypoints: their keypoint files, one each.
        labels: a labelling tool's file, in place of both.
        images: the folder of its images.
        category: the category's name.

    Raises:
        InputError: the arguments do not fit together.
    """
    if labels is not None:
        if support or keypoints:
            raise InputError('give --support and --keypoints, or --labels, but not both')
        return read_labels(labels, images, category)
    if len(support) != len(keypoints):
        raise InputError('give a file of --keypoints for each picture of --support')
    if not support:
        return None
    first, *others = (
        read_category(image, file, category) for image, file in zip(support, keypoints, strict=True)
    )
    shots = list(first.shots)
    for other in others:
        if other.names != first.names:
            raise InputError(f'the keypoints of {other.name!r} are not those of {first.name!r}')
        shots += other.shots
    return Category(first.name, first.names, first.skeleton, shots)
