"""Images as people hand them in, to pixels as people see them."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import cv2
import mmcv
import numpy as np
import PIL.Image
import PIL.ImageOps

from fmmp.errors import InputError

Image: TypeAlias = 'str | Path | np.ndarray | PIL.Image.Image'
"""A file's path; pixels, grey, RGB or RGBA, uint8 or uint16; or Pillow's image."""

LARGEST_SIDE = 32766  # pixels: OpenCV's warp counts in 16 bits
# What Pillow may read where OpenCV cannot: no format whose reading runs a program.
_FORMATS = ('BMP', 'GIF', 'JPEG', 'JPEG2000', 'PNG', 'PPM', 'TIFF', 'WEBP')


def read_image(path: str | Path) -> np.ndarray:
    """Read an image (H, W, 3) uint8, RGB, turned upright as its EXIF orientation says.

    Grey images get three equal channels, alpha is left out, and of 16 bits the upper 8 count, as
    in training and testing.

    Raises:
        OSError: the file is missing, or no whole image.
    """
    try:
        image = mmcv.imread(str(path), channel_order='rgb')
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: there is no such image') from None
    except cv2.error:  # of an empty or a truncated file
        image = None
    if image is not None:
        return image
    try:
        with PIL.Image.open(path, formats=_FORMATS) as opened:
            return _pillow_pixels(opened)
    except Exception as error:  # whatever a damaged file leads to
        raise OSError(
            f'{path}: not a readable image: it is empty, cut short or no image'
        ) from error


def image_pixels(image: Image, name: str = 'image') -> np.ndarray:
    """An image's pixels (H, W, 3) uint8, RGB.

    Args:
        image: a path, see `read_image`; pixels (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of
            uint8 or uint16; or Pillow's image, which is turned upright as its EXIF says.
        name: what errors call it.

    Raises:
        OSError: a file is missing, or no whole image.
        InputError: it is nothing of these, or its size cannot be used.
    """
    if isinstance(image, (str, Path)):
        pixels = read_image(image)
    elif isinstance(image, PIL.Image.Image):
        try:
            pixels = _pillow_pixels(image)
        except Exception as error:  # of a damaged file, or a mode that is none of colours
            raise InputError(f'{name}: Pillow cannot turn it to RGB ({error})') from error
    else:
        pixels = _array_pixels(image, name)
    height, width = pixels.shape[:2]
    if min(height, width) < 2 or max(height, width) > LARGEST_SIDE:
        raise InputError(
            f'{name} must have 2 × 2 pixels at least and {LARGEST_SIDE} a side at most, not '
            f'{width} × {height}'
        )
    return np.ascontiguousarray(pixels)


def _array_pixels(image: object, name: str) -> np.ndarray:
    is_array = isinstance(image, np.ndarray) and image.dtype.kind == 'u'
    if is_array and image.dtype.itemsize == 2:
        image = (image >> 8).astype(np.uint8)
    channels = image.shape[2:] if is_array and image.ndim in (2, 3) else None
    if channels not in ((), (1,), (3,), (4,)) or image.dtype != np.uint8:
        given = f'a {type(image).__name__}'
        if isinstance(image, np.ndarray):
            given = f'{image.dtype} {image.shape}'
        raise InputError(
            f"{name} must be a path, Pillow's image, or grey, RGB or RGBA pixels (H, W[, 1, 3 or "
            f'4]) of uint8 from 0 to 255, or uint16, not {given}'
        )
    if channels in ((), (1,)):
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image[..., :3]


def _pillow_pixels(image: PIL.Image.Image) -> np.ndarray:
    image = PIL.ImageOps.exif_transpose(image)
    if image.mode.startswith('I'):  # grey, of 16 or 32 bits
        values = np.asarray(image).astype(np.int64)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise ValueError(f'mode {image.mode} with values out of 16 bits')
        return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == 'F':
        raise ValueError('mode F: scale it to 8 bits')
    return np.asarray(image.convert('RGB'))
