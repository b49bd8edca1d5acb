"""Keypoints of rigid models: the points that lie farthest in named directions."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .model import Part

SAMPLES = 3000  # points on a model's surface, besides its vertices


@dataclass(frozen=True)
class Extreme:
    """A keypoint at the point of a region that lies farthest in a direction.

    Regions and directions are in the model's box scaled to a unit cube, from 0 to 1: x from its
    right to its left, y from its bottom to its top, z from its back to its front.

    Attributes:
        name: the keypoint's.
        direction: of x, y, z.
        x, y, z: the region's bounds.
    """

    name: str
    direction: tuple[float, float, float]
    x: tuple[float, float] = (0, 1)
    y: tuple[float, float] = (0, 1)
    z: tuple[float, float] = (0, 1)


def both_sides(*extremes: Extreme) -> list[Extreme]:
    """Each on the left and on the right; their names begin so."""
    mirrored = []
    for e in extremes:
        dx, dy, dz = e.direction
        low, high = e.x
        mirrored.append(Extreme(f'left {e.name}', (dx, dy, dz), (low, high), e.y, e.z))
        mirrored.append(Extreme(f'right {e.name}', (-dx, dy, dz), (1 - high, 1 - low), e.y, e.z))
    return mirrored


def named_links(
    names: list[str], along: list[tuple[str, str]], across: list[str]
) -> list[tuple[int, int]]:
    """Links between keypoints of some names, as far as there are such.

    Args:
        names: the keypoints', 'left …' and 'right …' being sides.
        along: pairs that are linked on each side; one of a pair may lie in the middle.
        across: those whose left is linked to their right.
    """
    wanted = [(f'left {name}', f'right {name}') for name in across]
    for one, two in along:
        for side in ('left ', 'right '):
            wanted.append(tuple(n if n in names else side + n for n in (one, two)))
    found = {tuple(map(names.index, pair)) for pair in wanted if set(pair) <= set(names)}
    return sorted(found)


def swapped_sides(names: list[str]) -> list[int]:
    """For each of the keypoints of some names, the one of the other side; itself in the middle."""
    other = {'left': 'right', 'right': 'left'}
    return [names.index(re.sub('^(left|right)\\b', lambda side: other[side[0]], n)) for n in names]


def surface(parts: list[Part]) -> np.ndarray:
    """(N, 3) points of a model's surface: its vertices, and more spread evenly over its faces."""
    used = [part.vertices for part in parts]
    corners = np.concatenate([part.vertices[part.faces] for part in parts]).astype(float)
    edges = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    if area.sum() <= 0:
        return np.concatenate(used)
    rng = np.random.default_rng(0)
    face = np.searchsorted(np.cumsum(area), rng.random(SAMPLES) * area.sum())
    face = face.clip(max=len(corners) - 1)
    place = rng.random((SAMPLES, 2, 1))
    place = np.where(place.sum(1, keepdims=True) > 1, 1 - place, place)
    return np.concatenate([*used, corners[face, 0] + (place * edges[face]).sum(1)])


def locate(points: np.ndarray, extremes: list[Extreme]) -> np.ndarray:
    """(K, 3), the keypoints on a surface of points (N, 3), NaN where a region holds none."""
    low, high = points.min(0), points.max(0)
    unit = (points - low) / np.maximum(high - low, 1e-9)
    found = np.full((len(extremes), 3), np.nan)
    for row, e in zip(found, extremes, strict=True):
        inside = np.ones(len(unit), bool)
        for along, (least, most) in zip(unit.T, (e.x, e.y, e.z), strict=True):
            if (least, most) != (0, 1):
                inside &= (along >= least) & (along <= most)
        inside = np.flatnonzero(inside)
        if len(inside):
            row[:] = points[inside[(unit[inside] @ np.array(e.direction)).argmax()]]
    return found
