"""Decoding of JPEGs at a fraction of their size, and where its pixels lie in the whole image.

JPEG stores blocks of 8 × 8 pixels by their frequencies. Of the lower ones alone libjpeg makes
blocks of 4 × 4, 2 × 2 or 1 × 1 pixels, about the means of those that they stand for.
"""

from __future__ import annotations

import io
import math

import cv2
import numpy as np
from PIL import Image

from .orientation import ORIENTATION, upright_size

FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_JPEG = b'\xff\xd8'
# EXIF's orientations in which the upright image's x or y runs against the stored axis.
_BACKWARDS = ({2, 3, 6, 7}, {3, 4, 7, 8})


def decode_reduced(data: bytes, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Decode an image, a JPEG at the smallest size that a limit allows.

    Args:
        data: the file's content.
        most: by how much its sides may be reduced at most.

    Returns:
        Its pixels (H, W, 3) uint8, RGB, upright; and the affine map (2, 3) from them to the whole
        image's, in which whole numbers are the pixels' centres.

    Raises:
        ValueError: it is no readable image.
    """
    factor = max((factor for factor in FLAGS if factor <= most), default=1)
    size, orientation = (0, 0), 1
    if factor > 1:
        size, orientation = _size_of_jpeg(data)
        factor = factor if size[0] else 1
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), FLAGS[factor])
    if pixels is None:
        raise ValueError('no readable image')
    transform = np.eye(2, 3)
    if factor > 1:
        # A row of L pixels becomes one of ⌈L / factor⌉, of which the last as stored is cut off.
        cut_off = [factor * math.ceil(length / factor) - length for length in size]
        shift = [
            n if orientation in axis else 0 for n, axis in zip(cut_off, _BACKWARDS, strict=True)
        ]
        transform = factor * transform
        transform[:, 2] = (factor - 1) / 2 - np.array(shift)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), transform


def _size_of_jpeg(data: bytes) -> tuple[tuple[int, int], int]:
    """Upright width and height and EXIF's orientation of a JPEG; (0, 0) of anything else."""
    if not data.startswith(_JPEG):
        return (0, 0), 1
    try:
        with Image.open(io.BytesIO(data), formats=('JPEG',)) as image:
            return upright_size(image), image.getexif().get(ORIENTATION, 1)
    except Exception:  # whatever a malformed header leads to: OpenCV may read it all the same
        return (0, 0), 1
