"""What `Estimator` is given, checked: an error names the argument and says what it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fmmp.datasets.annotations import clean_box
from fmmp.errors import InputError

from .images import image_pixels

if TYPE_CHECKING:
    from .support import Box, Support

_FARTHEST = 1e6  # pixels: what is farther is a mistake, and sums of it lose the pixels


def check_model(model: nn.Module) -> None:
    """Check that a model knows its config, which says how images are prepared."""
    if not hasattr(model, 'cfg'):
        raise InputError(f'model must be what init_model returns, not a {type(model).__name__}')


def check_supports(
    supports: Sequence[Support], most: int, needs_links: bool = True
) -> list[Support]:
    """Check the supports of an estimation; returns them with their images as pixels.

    Args:
        supports: annotated images of one category.
        most: K, the keypoints that the model has room for.
        needs_links: whether their padding does.
    """
    _check_list(supports, 'supports', 'Support')
    supports = [
        check_support(support, f'supports[{number}]', needs_links)
        for number, support in enumerate(supports)
    ]
    first = supports[0]
    for number, support in enumerate(supports):
        if len(support.keypoints) != len(first.keypoints) or not np.array_equal(
            _links(support), _links(first)
        ):
            raise InputError(
                f'supports[0] and supports[{number}] differ in their number of keypoints or their '
                'skeleton: give supports of one category'
            )
    if len(first.keypoints) > most:
        raise InputError(
            f'supports: {len(first.keypoints)} keypoints, and the model has {most}: raise '
            'data.data_cfg.num_keypoints, if it was trained so or needs no training'
        )
    return supports


def check_support(support: Support, name: str, needs_links: bool = False) -> Support:
    """Check an annotated image; returns it with its image as pixels.

    Args:
        support: the support.
        name: what errors call it.
        needs_links: whether it must have a link.
    """
    if not all(hasattr(support, part) for part in ('image', 'keypoints', 'visible', 'skeleton')):
        raise InputError(f'{name} must be a Support, not a {type(support).__name__}')
    pixels = image_pixels(support.image, f'{name}: image')
    keypoints = _array(support.keypoints)
    if keypoints is None or keypoints.shape[1:] != (2,) or keypoints.dtype.kind not in 'iuf':
        raise InputError(
            f'{name}: keypoints must be (K, 2) pixels, not {_described(support.keypoints)}'
        )
    count = len(keypoints)
    strange = np.flatnonzero(~(np.abs(keypoints) < _FARTHEST).all(1))
    if strange.size:
        raise InputError(
            f'{name}: keypoint {strange[0]} is {keypoints[strange[0]].tolist()}: keypoints must be '
            'finite pixels; one out of sight may be anywhere and has visible False'
        )
    visible = _array(support.visible)
    if visible is None or visible.shape != (count,) or visible.dtype != bool:
        raise InputError(
            f'{name}: visible must be a bool for each of the {count} keypoints, not '
            f'{_described(support.visible)}'
        )
    if not visible.any():
        raise InputError(f'{name}: no keypoint is annotated: one at least must be visible')
    _check_skeleton(support.skeleton, count, name, needs_links)
    check_box(support.box, pixels, f'{name}: box')
    return replace(support, image=pixels)


def _check_skeleton(
    skeleton: Sequence[tuple[int, int]], count: int, name: str, needs_links: bool
) -> None:
    links = _array(skeleton)
    if links is not None and links.size == 0:
        if needs_links:
            raise InputError(
                f"{name}: the skeleton is empty: link the keypoints ('skeleton' in a keypoint file)"
            )
        return
    if links is None or links.shape[1:] != (2,) or links.dtype.kind not in 'iu':
        raise InputError(
            f'{name}: skeleton must be pairs of keypoints counted from 0, not '
            f'{_described(skeleton)}'
        )
    if links.min() < 0 or links.max() >= count:
        raise InputError(
            f'{name}: the skeleton links a keypoint that does not exist: the {count} keypoints '
            f'are 0 to {count - 1}'
        )


def check_box(box: Box | None, image: np.ndarray, name: str) -> None:
    """Check an object's box in an image; None stands for the whole image."""
    if box is None:
        return
    numbers = _array(box)
    is_box = numbers is not None and numbers.shape == (4,) and numbers.dtype.kind in 'iuf'
    if not is_box or not np.isfinite(numbers).all():
        raise InputError(f'{name} must be x, y, width and height in pixels, or None, not {box!r}')
    inside = clean_box(box, *image.shape[1::-1])
    if inside is None or max(inside[2:]) < 1:
        raise InputError(
            f'{name} must meet its image: {box} has nothing inside its image of {_size(image)}'
        )


def _check_list(values: Sequence, name: str, what: str) -> None:
    if not isinstance(values, Sequence) or len(values) == 0:
        given = 'an empty one' if isinstance(values, Sequence) else f'a {type(values).__name__}'
        raise InputError(f'{name} must be a list with one {what} at least, not {given}')


def _links(support: Support) -> np.ndarray:
    return np.asarray(support.skeleton).reshape(-1, 2)


def _array(values: object) -> np.ndarray | None:
    """The values as an array; None where they are no such thing."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError):
        return None


def _described(values: object) -> str:
    array = _array(values)
    is_listed = isinstance(values, (list, tuple, np.ndarray))
    if not is_listed or array is None or array.dtype == object:
        return f'a {type(values).__name__}'
    return f'{array.dtype} {array.shape}'


def _size(image: np.ndarray) -> str:
    return '{1} × {0} pixels'.format(*image.shape)
