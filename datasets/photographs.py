"""A few photographs that installed packages hold, with keypoints, and views of them.

Two of them show two people. Of the others there is one of each kind; a view turns, mirrors, cuts or
darkens it, and its keypoints are known from that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from fmmp.errors import InputError

_FILE = Path(__file__).with_name('photographs.json')
_AROUND = 1.3  # a view's side, in extents of the keypoints
_BOX_MARGIN = 0.1  # of the box around the keypoints, in their extent


@dataclass(frozen=True, eq=False)
class View:
    """A view of a photograph.

    Attributes:
        image: (size, size, 3) uint8, RGB.
        keypoints: (K_c, 2) pixels.
        visible: (K_c,) bool, which of them are in the picture.
        box: x, y, width, height of the object, pixels.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of object.

    Attributes:
        name: what it is.
        keypoints: their K_c names.
        skeleton: links, pairs of keypoints, to draw.
        sources: whose photographs they are, and under which licence.
        views: the annotated one first, then those to find the keypoints in.
        changes: how each differs from the first, in words.
    """

    name: str
    keypoints: list[str]
    skeleton: list[tuple[int, int]]
    sources: list[str]
    views: list[View]
    changes: list[str]


def read_photographs(
    size: int = 416, more: int = 0, names: Sequence[str] | None = None
) -> list[Kind]:
    """Read the photographs and make their views.

    Args:
        size: height and width of a view, pixels.
        more: further views of each kind, turned, mirrored, lit and cut at random, the same ones
            at every call.
        names: the kinds to read; all of them unless given.

    Raises:
        InputError: a package that holds a photograph is not installed, or holds it no longer.
    """
    kinds = []
    for kind in json.loads(_FILE.read_text(encoding='utf-8')):
        if names is not None and kind['name'] not in names:
            continue
        images = [_read(**picture) for picture in kind['pictures']]
        points = [np.array(picture['keypoints']) for picture in kind['pictures']]
        views, changes = [], []
        for view in kind['views'] + _random_views(more, len(images), kind['views'][0]):
            number = view.pop('picture')
            views.append(view_of(images[number], points[number], size=size, **view))
            changes.append(_words(number, view, kind['views'][0]))
        links = [(i, j) for i, j in kind['skeleton']]
        sources = [picture['source'] for picture in kind['pictures']]
        kinds.append(Kind(kind['name'], kind['keypoints'], links, sources, views, changes))
    return kinds


def view_of(
    image: np.ndarray,
    keypoints: np.ndarray,
    size: int = 416,
    turn: float = 0.0,
    mirrored: bool = False,
    zoom: float = 1.0,
    shift: Sequence[float] = (0.0, 0.0),
    light: float = 1.0,
) -> View:
    """A square view around an object.

    Args:
        image: (H, W, 3) uint8, RGB.
        keypoints: (K_c, 2) pixels.
        size: height and width of the view, pixels.
        turn: degrees, clockwise.
        mirrored: left to right, before it is turned.
        zoom: above 1 shows less of it, larger.
        shift: to the right and down, in sides of the view.
        light: what every pixel's light is multiplied with.
    """
    low, high = keypoints.min(0), keypoints.max(0)
    scale = zoom * size / (_AROUND * (high - low).max())
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * rotation @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    offset = size * (0.5 + np.asarray(shift)) - linear @ ((low + high) / 2)
    if scale < 1:  # average before sampling, so that fine detail does not alias
        image = cv2.GaussianBlur(image, (0, 0), 0.45 / scale)
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    image = (light * image).round().astype(np.uint8)
    affine = np.column_stack([linear, offset])
    image = cv2.warpAffine(image, affine, (size, size), flags=flags, borderValue=(255,) * 3)
    points = keypoints @ linear.T + offset
    visible = ((points >= 0) & (points < size)).all(1)
    return View(image, points, visible, _box(points[visible]))


def _random_views(count: int, pictures: int, first: dict) -> list[dict]:
    random = np.random.default_rng(0)
    return [
        {
            'picture': int(random.integers(pictures)),
            'turn': float(random.uniform(-60, 60)),
            'mirrored': bool(random.integers(2)),
            'zoom': float(first.get('zoom', 1) * random.uniform(0.85, 1.25)),
            'shift': random.uniform(-0.06, 0.06, 2).tolist(),
            'light': float(random.uniform(0.5, 1)),
        }
        for _ in range(count)
    ]


def _words(number: int, view: dict, first: dict) -> str:
    words = {
        'another person': number > 0,
        'mirrored': view.get('mirrored'),
        'turned': view.get('turn'),
        'closer': view.get('zoom', 1) > first.get('zoom', 1),
        'darker': view.get('light', 1) < 1,
    }
    return ', '.join(word for word, holds in words.items() if holds)


def _box(points: np.ndarray) -> tuple[float, float, float, float]:
    low, high = points.min(0), points.max(0)
    margin = _BOX_MARGIN * (high - low).max()
    x, y = low - margin
    width, height = high - low + 2 * margin
    return float(x), float(y), float(width), float(height)


def _read(file: str, package: str, **_: object) -> np.ndarray:
    module, _, inside = file.partition('/')
    spec = find_spec(module)
    path = spec and Path(spec.origin).parent / inside
    if not path or not path.is_file():
        raise InputError(f'{file}: not here: pip install {package}, or bash install.sh')
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
