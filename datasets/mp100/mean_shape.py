"""Links for a category without any: a minimum spanning tree over its mean shape."""

import numpy as np

from .links import Links


def infer_links(keypoints: np.ndarray, visible: np.ndarray) -> Links:
    """Link a category's keypoints by the minimum spanning tree over its mean shape.

    Args:
        keypoints: (N, K_c, 2) pixels of N instances.
        visible: (N, K_c) bool, which are labelled.

    Returns:
        0-based links. A keypoint that no instance shows beside others has none.
    """
    if not visible.any():
        return []
    return _minimum_spanning_tree(mean_shape(keypoints, visible))


def mean_shape(keypoints: np.ndarray, visible: np.ndarray, iterations: int = 20) -> np.ndarray:
    """Average instances after aligning them (generalised Procrustes analysis).

    Similarities and reflections are undone, so objects may face either way. Keypoints that the
    first shape lacks come in as instances are aligned by the keypoints that they share with it.

    Args:
        keypoints: (N, K_c, 2).
        visible: (N, K_c) bool.
        iterations: rounds of aligning and averaging.

    Returns:
        (K_c, 2), of root mean square size 1; NaN for a keypoint that cannot be placed.
    """
    points = np.where(visible[..., None], keypoints, np.nan).astype(float)
    shape = _normalised(points[visible.sum(1).argmax()])
    for _ in range(iterations):
        aligned = _align(points, shape)
        count = np.isfinite(aligned).sum(0)
        total = np.nansum(aligned, axis=0)
        shape = _normalised(np.where(count, total / np.maximum(count, 1), shape))
    return shape


def _normalised(shape: np.ndarray) -> np.ndarray:
    centred = shape - np.nanmean(shape, axis=0)
    size = np.sqrt(np.nanmean(centred**2))
    return centred / size if size else centred


def _align(instances: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Bring instances (N, K_c, 2) onto a shape by least squares; NaN where they share too few."""
    common = np.isfinite(instances[..., 0]) & np.isfinite(shape[:, 0])
    count = common.sum(1)
    weights = (common / np.maximum(count, 1)[:, None])[..., None]
    center = np.nansum(instances * weights, 1, keepdims=True)
    target = np.nansum(shape * weights, 1, keepdims=True)
    here = np.where(common[..., None], instances - center, 0)
    there = np.where(common[..., None], shape - target, 0)
    u, stretch, vt = np.linalg.svd(here.transpose(0, 2, 1) @ there)
    mirrored = (count == 2) & (np.linalg.det(u @ vt) < 0)  # two points show no reflection
    u[mirrored, :, 1] *= -1
    stretch[mirrored, 1] *= -1
    spread = (here**2).sum((1, 2))
    spread[(count < 2) | (spread == 0)] = np.nan
    scale = (stretch.sum(1) / spread)[:, None, None]
    return (instances - center) @ (u @ vt) * scale + target


def _minimum_spanning_tree(shape: np.ndarray) -> Links:
    """Prim's algorithm over the placed keypoints."""
    placed = np.flatnonzero(np.isfinite(shape[:, 0]))
    if len(placed) < 2:
        return []
    distance = np.linalg.norm(shape[:, None] - shape, axis=-1)
    nearest = {int(k): int(placed[0]) for k in placed[1:]}  # of those in the tree
    links = []
    while nearest:
        k = min(nearest, key=lambda k: distance[k, nearest[k]])
        links.append(sorted((k, nearest.pop(k))))
        for other in nearest:
            if distance[other, k] < distance[other, nearest[other]]:
                nearest[other] = k
    return sorted(links)
