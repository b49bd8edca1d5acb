"""The crop of an instance: a square around its box, scaled to the network's input.

Centre and scale are MMPose's top-down convention: the scale is the square's side / 200 pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np

MARGIN = 1.25  # the square's side, in longer sides of the box
PIXEL_STD = 200.0


def clean_box(
    box: Sequence[float], width: int, height: int
) -> tuple[float, float, float, float] | None:
    """Clip a box to an image.

    Args:
        box: x, y, width, height in pixels.
        width: the image's width.
        height: the image's height.

    Returns:
        The clipped box, or None where nothing of it is inside the image.
    """
    x, y, w, h = box
    x1, y1 = max(0, x), max(0, y)
    x2 = min(width - 1, x1 + max(0, w - 1))
    y2 = min(height - 1, y1 + max(0, h - 1))
    return (x1, y1, x2 - x1, y2 - y1) if x2 > x1 and y2 > y1 else None


def center_and_scale(box: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre (2,) and scale (2,), float32, of a box x, y, width, height."""
    x, y, w, h = box
    center = np.array([x + w / 2, y + h / 2], np.float32)
    scale = np.array([max(w, h) / PIXEL_STD] * 2, np.float32) * MARGIN
    return center, scale


def crop_transform(
    center: np.ndarray, scale: np.ndarray, image_size: int, rotation: float = 0.0
) -> np.ndarray:
    """Return the affine map (2, 3) from image pixels to crop pixels; rotation in degrees.

    It is MMPose's ``get_affine_transform`` to the last bit: the map that takes three points of the
    square, in float32, to those of the crop: the centre, the middle of the upper side and the
    corner to its left.
    """
    half, angle = float((scale * PIXEL_STD)[0]) / 2, np.pi * rotation / 180
    middle = np.asarray(center, np.float32)
    top = (center + half * np.array([np.sin(angle), -np.cos(angle)])).astype(np.float32)
    dx, dy = top - middle
    corner = top + np.array([dy, -dx])
    size = image_size / 2
    return cv2.getAffineTransform(
        np.stack([middle, top, corner]), np.array([[size, size], [size, 0], [0, 0]], np.float32)
    )


def crop_image(image: np.ndarray, transform: np.ndarray, image_size: int) -> np.ndarray:
    """Cut the crop out of an image (H, W, 3), bilinearly and black outside the image."""
    return cv2.warpAffine(image, transform, (image_size, image_size), flags=cv2.INTER_LINEAR)


def crop_keypoints(
    keypoints: np.ndarray, visible: np.ndarray, transform: np.ndarray, image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Move keypoints into the crop.

    Labelled keypoints are transformed; the others keep their annotation's pixels, as in the
    released models' training, where a structural reference may name one of them.

    Args:
        keypoints: (K_c, 2) image pixels.
        visible: (K_c,) bool.
        transform: the crop's affine map (2, 3).
        image_size: the crop's side in pixels.

    Returns:
        The points in crop sides (K_c, 2), float32 with [0, 1] inside the crop, and which of them
        are visible in the crop (K_c,).
    """
    points = np.array(keypoints, np.float32)
    points[visible] = points[visible] @ transform[:, :2].T + transform[:, 2]
    return points / np.float32(image_size), visible & _near_crop(points, image_size)


def _near_crop(points: np.ndarray, image_size: int) -> np.ndarray:
    """Tell for each point whether a heatmap's Gaussian (σ = 2, cut at 3σ) at it touches the grid.

    The grid's cells are 4 pixels wide.
    """
    cell = np.trunc(points / 4 + 0.5)
    return ((cell >= -7) & (cell < image_size // 4 + 6)).all(axis=-1)


def to_image(points: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Map points (…, 2) in sides of an unrotated crop to image pixels."""
    return (points - 0.5) * (scale * PIXEL_STD) + center
