"""Boxes around keypoints, with margins such as the supports' boxes have around theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MARGIN = 0.1  # on each side, where no box says another, in longer sides of the keypoints' extent
LEAST = 0.02  # of the image's longer side: keypoints that extend less frame nothing


def margins_of(keypoints: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """How far a box goes beyond its keypoints, before and behind, in x and y.

    Args:
        keypoints: (K, 2) pixels.
        box: x, y, width, height.

    Returns:
        (2, 2), in longer sides of the keypoints' extent.
    """
    low, high = keypoints.min(0), keypoints.max(0)
    box = np.asarray(box, float)
    return np.stack([low - box[:2], box[:2] + box[2:] - high]) / max(*(high - low), 1.0)


def box_around(
    keypoints: np.ndarray, margins: np.ndarray | float, size: Sequence[int]
) -> tuple[float, float, float, float] | None:
    """A box around keypoints, inside an image.

    Args:
        keypoints: (K, 2) pixels.
        margins: (2, 2) as of `margins_of`, or one for all sides.
        size: the image's width and height.

    Returns:
        x, y, width, height; None where it would be as good as empty, or outside the image.
    """
    low, high = keypoints.min(0), keypoints.max(0)
    before, behind = np.broadcast_to(margins, (2, 2)) * max(*(high - low), 1.0)
    low, high = np.maximum(low - before, 0), np.minimum(high + behind, size)
    if (high - low).min() < LEAST * max(size):
        return None
    return (*low.tolist(), *(high - low).tolist())
