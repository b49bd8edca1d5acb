"""A category as it is drawn: without broken models, and without keypoints that coincide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fmmp.errors import InputError

from .model import Category, Posed

Pose = Callable[[np.random.Generator | None], Posed]

CLOSEST = 0.04  # of a model's diagonal; keypoints that are nearer are one
FEWEST = 4  # keypoints of a category


def box(posed: Posed) -> tuple[np.ndarray, np.ndarray]:
    """(3,) and (3,), the lowest and the highest coordinates of a model."""
    used = np.concatenate([part.vertices for part in posed.parts])
    return used.min(0), used.max(0)


def settle(category: Category) -> tuple[Category, list[str]]:
    """Leaves out models that cannot be read, keypoints that most models lack, and those that in
    most models lie where an earlier one does; links those that no link reaches to the nearest.

    Returns:
        The category, and a line on each model that was left out.

    Raises:
        InputError: too little is left.
    """
    models, rest, refused = [], [], []
    for model in category.models:
        try:
            posed = model.pose(None)
            low, high = box(posed)
            if not (high > low).any() or not np.isfinite(high - low).all():
                raise InputError(f'{model.origin} has no extent')
        except InputError as error:
            refused.append(str(error))
            continue
        models.append(model)
        rest.append((posed.keypoints - (low + high) / 2) / np.linalg.norm(high - low))
    if not models:
        raise InputError(f'{category.name}: no model can be drawn; ' + '; '.join(refused))

    rest = np.stack(rest)
    count = len(category.keypoints)
    there = np.isfinite(rest).all(-1)
    same = np.linalg.norm(rest[:, :, None] - rest[:, None], axis=-1) < CLOSEST
    one = same.sum(0) * 2 > (there[:, :, None] & there[:, None]).sum(0)
    stands_for = np.full(count, -1)  # the keypoint that it is or lies on
    for k in range(count):
        if there[:, k].mean() >= 0.5:
            kept = np.flatnonzero(one[k, :k] & (stands_for[:k] == np.arange(k)))
            stands_for[k] = kept[0] if len(kept) else k
    kept = np.flatnonzero(stands_for == np.arange(count))
    if len(kept) < FEWEST:
        raise InputError(f'{category.name} has {len(kept)} distinct keypoints, needs {FEWEST}')

    number = {old: new for new, old in enumerate(kept)}
    links = {
        tuple(sorted(number[stands_for[end]] for end in link))
        for link in category.skeleton
        if all(stands_for[end] >= 0 for end in link)
    }
    links = sorted(link for link in links if link[0] != link[1])
    swap = [number.get(stands_for[category.swap[k]], -1) for k in kept] if category.swap else []
    if sorted(swap) != list(range(len(kept))):
        swap = []  # a keypoint's other side is lacking, or lies on another one: no mirror image
    return replace(
        category,
        keypoints=[category.keypoints[k] for k in kept],
        skeleton=joined(np.nanmean(rest[:, kept], 0), links),
        swap=swap,
        models=[replace(model, pose=_selecting(model.pose, kept)) for model in models],
    ), refused


def _selecting(pose: Pose, kept: np.ndarray) -> Pose:
    """A model's poses with these keypoints alone."""

    def selected(rng: np.random.Generator | None) -> Posed:
        posed = pose(rng)
        return Posed(posed.parts, posed.keypoints[kept])

    return selected


def joined(points: np.ndarray, links: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Links between points (K, D), and the shortest further ones that join all of them."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    for a, b in links:
        distance[a, b] = distance[b, a] = 0
    inside, tree = [0], set(links)
    while len(inside) < len(points):
        outside = [k for k in range(len(points)) if k not in inside]
        between = distance[np.ix_(inside, outside)]
        a, b = np.unravel_index(between.argmin(), between.shape)
        tree.add(tuple(sorted((inside[a], outside[b]))))
        inside.append(outside[b])
    return sorted(tree)
