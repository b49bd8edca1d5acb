"""Supports: annotated images, and reading them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from .images import Image, read_image
from .inputs import check_support

Box = Sequence[float]


@dataclass(frozen=True, eq=False)
class Support:
    """An annotated image.

    Attributes:
        image: its pixels (H, W, 3) uint8, RGB, or whatever else `image_pixels` takes.
        keypoints: (K_c, 2) pixels.
        visible: (K_c,) bool, which keypoints are annotated.
        skeleton: 0-based links, pairs of keypoints; a model whose padding is ``zero`` needs none.
        box: x, y, width, height in pixels of the object; None for the whole image.
    """

    image: Image
    keypoints: np.ndarray
    visible: np.ndarray
    skeleton: Sequence[tuple[int, int]]
    box: Box | None = None


def shown_keypoints(supports: Sequence[Support]) -> np.ndarray:
    """Which keypoints any of the supports shows, (K_c,) bool."""
    return np.any([support.visible for support in supports], axis=0)


def read_support(image: str | Path, keypoint_file: str | Path) -> Support:
    """Read a support: an image and its keypoint file.

    The file is a JSON object with ``keypoints``, either [[x, y], …], null for one that is not to be
    seen, or COCO's flat [x, y, v, …]; ``skeleton``, 0-based links [[i, j], …], if the model needs
    any; and, if wanted, ``bbox`` [x, y, width, height].

    Raises:
        OSError: a file is missing, or the image is not readable.
        InputError: the keypoint file is not of that form.
    """
    pixels = read_image(image)
    try:
        content = json.loads(Path(keypoint_file).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{keypoint_file}: there is no such keypoint file') from None
    except ValueError as error:
        raise InputError(f'{keypoint_file}: not JSON ({error})') from error
    try:
        keypoints, visible = _keypoints(content['keypoints'])
        skeleton = tuple((int(i), int(j)) for i, j in content.get('skeleton') or ())
        box = content.get('bbox')
        box = None if box is None else tuple(map(float, np.reshape(box, 4)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{keypoint_file}: give an object with 'keypoints' [[x, y], …] (null for one out of "
            "sight) or [x, y, v, …], 'skeleton' [[i, j], …] counted from 0, if the model needs "
            "links, and, if wanted, 'bbox' [x, y, width, height] "
            f'({type(error).__name__}: {error})'
        ) from error
    support = Support(pixels, keypoints, visible, skeleton, box)
    check_support(support, str(keypoint_file))
    height, width = pixels.shape[:2]
    outside = ((keypoints < 0) | (keypoints > (width, height))).any(axis=1)
    if visible.any() and outside[visible].all():
        raise InputError(
            f'{keypoint_file}: no keypoint is inside {image}, {width} × {height} pixels: were they '
            'labelled on a copy of another size?'
        )
    return support


def _keypoints(values: list) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(values, list) or not values:
        raise ValueError('no list of keypoints')
    if not any(isinstance(value, (list, type(None))) for value in values):
        table = np.array(values, float).reshape(-1, 3)
        return table[:, :2], table[:, 2] > 0
    visible = np.array([value is not None for value in values])
    points = [(0, 0) if value is None else value for value in values]
    if any(len(point) != 2 for point in points):
        raise ValueError('a keypoint is [x, y] or null; with v, all are one list [x, y, v, …]')
    return np.array(points, float).reshape(-1, 2), visible
