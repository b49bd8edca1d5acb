"""Where a model fails: its keypoints' scores by what is known of them beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fmmp.datasets.annotations import Category, Instance
from fmmp.datasets.structure import structural_references
from fmmp.errors import InputError

from .tables import format_table

THRESHOLDS = (0.05, 0.1, 0.2)
DISTANCES = (0.1, 0.2, 0.3)  # bounds, in longer sides of the query's box
COUNTS = (10, 20, 40)  # bounds of K_c


@dataclass(frozen=True)
class Keypoint:
    """A keypoint of a pair that counts: labelled in the query and in all its supports.

    Attributes:
        error: distance of its prediction, in longer sides of the query's box.
        category_size: K_c, how many keypoints its category has.
        occluded: whether the query hides it, None where that is not known.
        reference_distance: how far in the query, in longer sides of its box, the nearest keypoint
            that the skeleton links it to is, of those that all supports show; None if none is.
    """

    error: float
    category_size: int
    occluded: bool | None
    reference_distance: float | None


def keypoints_of(
    pairs: Sequence[Sequence[int]],
    predictions: Sequence[Sequence[Sequence[float]]],
    instances: Mapping[int, Instance],
    categories: Mapping[int, Category],
) -> list[Keypoint]:
    """The keypoints of all pairs that count.

    Args:
        pairs: ``[support, …, query]``, numbers of instances.
        predictions: for every pair, the query's keypoints (K_c, 2) in image pixels.
        instances: the instances by number.
        categories: the categories by id.

    Raises:
        InputError: a pair names an instance that there is not.
    """
    found = []
    if unknown := {number for pair in pairs for number in pair} - instances.keys():
        raise InputError(
            f'pairs name instance {min(unknown)}, which the data lack: were these results made '
            'with this config?'
        )
    for pair, prediction in zip(pairs, predictions, strict=True):
        *supports, query = (instances[number] for number in pair)
        shown = np.all([support.visible for support in supports], axis=0)
        side = max(query.box[2:])
        error = np.linalg.norm(np.asarray(prediction) - query.keypoints, axis=1) / side
        skeleton = categories[query.category_id].skeleton
        linked, links = structural_references(shown, skeleton, max(2, len(shown)))
        apart = np.linalg.norm(query.keypoints[linked] - query.keypoints[:, None], axis=-1) / side
        near = np.where((links == 1) & shown[linked] & query.visible[linked], apart, np.inf).min(1)
        found += [
            Keypoint(
                float(error[k]),
                len(shown),
                None if query.occluded is None else bool(query.occluded[k]),
                float(near[k]) if np.isfinite(near[k]) else None,
            )
            for k in np.flatnonzero(shown & query.visible)
        ]
    return found


def format_breakdown(keypoints: Sequence[Keypoint], style: str = 'markdown') -> str:
    """A table of the share of keypoints below each threshold, by group."""
    groups: list[tuple[str, Callable[[Keypoint], bool]]] = [('all', lambda _: True)]
    groups += [
        ('seen in the query', lambda one: one.occluded is False),
        ('hidden in the query', lambda one: one.occluded is True),
    ]
    for low, high, text in _between((0, *DISTANCES), 'nearest visible reference: {}'):
        groups.append(
            (text, lambda one, low=low, high=high: _in(one.reference_distance, low, high))
        )
    groups.append(('no visible reference', lambda one: one.reference_distance is None))
    for low, high, text in _between((0, *COUNTS), 'K of the category: {}'):
        groups.append((text, lambda one, low=low, high=high: _in(one.category_size, low, high)))
    rows = []
    for name, belongs in groups:
        errors = np.array([one.error for one in keypoints if belongs(one)])
        if errors.size:
            shares = [f'{100 * (errors < threshold).mean():.1f}' for threshold in THRESHOLDS]
            rows.append([name, str(errors.size), *shares])
    header = ['', 'keypoints', *(f'PCK@{threshold}' for threshold in THRESHOLDS)]
    return format_table(header, rows, style)


def _between(bounds: Sequence[float], text: str) -> list[tuple[float, float, str]]:
    """Groups from one bound to below the next, the last without an end, and their names."""
    groups = []
    for low, high in pairwise((*bounds, math.inf)):
        name = f'{low} to {high}' if low else f'below {high}'
        name = f'{low} or more' if high == math.inf else name
        groups.append((low, high, text.format(name)))
    return groups


def _in(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value < high
