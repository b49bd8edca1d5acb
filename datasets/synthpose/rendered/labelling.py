"""Annotations of MP-100's form, from a scene's geometry."""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .model import Posed
from .renderer import OBJECT, Drawing

FORGOTTEN = 0.4  # of the hidden keypoints, those without a label
TOLERANCE = 0.03  # lengths; a keypoint that far behind a surface is still seen
LEAST = 0.015  # of the picture, below which nothing of the object is told


def annotate(
    posed: Posed, camera: Camera, drawing: Drawing, rng: np.random.Generator
) -> tuple[dict, float]:
    """Annotates an object whose radius is 1.

    A keypoint is seen (2) if no surface lies before it, but for the object's own around it: a joint
    lies within. Else it is hidden (1), or in some cases without a label (0), as are those outside
    the picture and those that the model lacks. The box is that of the pixels in which the object is
    seen.

    Args:
        posed: the object.
        camera: the camera that saw it.
        drawing: what it saw.
        rng: chooses which hidden keypoints have no label.

    Returns:
        `bbox`, `area`, `keypoints`, `num_keypoints`, `iscrowd`; and the part of the keypoints that
        are seen, 0 if too little of the object is.
    """
    size = len(drawing.labels)
    lacking = np.isnan(posed.keypoints).any(1)
    points = np.where(lacking[:, None], 0, posed.keypoints)
    places, distance = camera.project(points, size)
    outside = ((places < 0) | (places > size - 1)).any(1)
    cells = np.clip(places.astype(int), 1, size - 2)
    surface = np.array([drawing.depth[y - 1 : y + 2, x - 1 : x + 2].max() for x, y in cells])
    slack = TOLERANCE + 1.3 * _depth_within(points, posed)
    seen = distance <= camera.distance(surface) + slack
    unlabelled = outside | lacking | (~seen & (rng.random(len(points)) < FORGOTTEN))
    visibility = np.where(unlabelled, 0, np.where(seen, 2, 1))

    mask = drawing.labels == OBJECT
    enough = mask.mean() >= LEAST
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x0, y0, x1, y1 = (
        (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else (0, 0, 1, 1)
    )
    keypoints = np.c_[np.where(unlabelled[:, None], 0, places.round(2)), visibility]
    return {
        'bbox': [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
        'area': float((x1 - x0) * (y1 - y0)),
        'keypoints': keypoints.ravel().tolist(),
        'num_keypoints': int((visibility > 0).sum()),
        'iscrowd': 0,
    }, enough * float((visibility == 2).mean())


def _depth_within(points: np.ndarray, posed: Posed) -> np.ndarray:
    """(K,) distances of points from the nearest vertex of a model, (K, 3)."""
    vertices = np.concatenate([part.vertices for part in posed.parts])
    return np.array([np.sqrt(((vertices - point) ** 2).sum(1).min()) for point in points])
