"""What the readers give and the scene draws: models that can be posed, in categories.

Axes: x to the model's left, y up, z to its front; lengths in any unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Part:
    """Triangles of one texture.

    Attributes:
        vertices, normals: (V, 3), float32; every vertex belongs to a face.
        uv: (V, 2), float32, (0, 0) being the texture's first pixel.
        faces: (F, 3), int32.
        texture: (H, W, 4), uint8, RGBA; alpha below 0.4 is cut away.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    texture: np.ndarray


@dataclass
class Posed:
    """A model in one pose: its parts, and its keypoints (K, 3), NaN for one that it lacks."""

    parts: list[Part]
    keypoints: np.ndarray


@dataclass
class Model:
    """One three-dimensional model.

    Attributes:
        name: unique in its category.
        pose: of a random generator, the model in a pose drawn at random, with a texture drawn at
            random where there are several; of None, always the same pose and texture.
        origin: package and file that it was read from.
        creator, licence: as the package tells them.
    """

    name: str
    pose: Callable[[np.random.Generator | None], Posed]
    origin: str
    creator: str
    licence: str


@dataclass
class Category:
    """Models that share keypoints.

    Attributes:
        name: such as 'horse' or 'office chair'.
        kind: 'animal body', 'bird', 'person', 'furniture', 'vehicle', …; scores are told by it.
        keypoints: K names.
        skeleton: links, pairs of keypoints from 0.
        swap: for each keypoint, the one that it becomes when the model is mirrored left to right.
        models: one or more.
        turn: how far it turns from facing the camera to either side, in radians; of things whose
            back looks like their front, less than a quarter turn.
    """

    name: str
    kind: str
    keypoints: list[str]
    skeleton: list[tuple[int, int]]
    models: list[Model]
    swap: list[int] = field(default_factory=list)
    turn: float = np.pi


@dataclass
class Entry:
    """A category that is read when it is drawn.

    Attributes:
        name, kind: the category's.
        read: reads it; raises InputError where its files are broken.
    """

    name: str
    kind: str
    read: Callable[[], Category]
