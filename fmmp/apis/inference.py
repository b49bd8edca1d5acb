"""Inference in one call: an object's keypoints in images, from one or a few annotated supports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from .estimator import Estimator
from .images import Image
from .support import Box, Support


def estimate(
    model: nn.Module,
    supports: Sequence[Support],
    images: Sequence[Image],
    boxes: Sequence[Box | None] | None = None,
) -> list[np.ndarray]:
    """Find the supports' keypoints in query images; `Estimator` also tells how sure it is.

    Args:
        model: of `init_model`, whose ``cfg.data.test`` says how images are prepared.
        supports: S annotated images of one category, S whatever the model was trained with.
        images: Q query images.
        boxes: the objects in them, x, y, width, height in pixels; None for the whole image.

    Returns:
        For every query, its keypoints (K_c, 2) in pixels.

    Raises:
        OSError: a file is missing, or no whole image.
        InputError: an argument is not what it must be; the message names it.
    """
    return [pose.keypoints for pose in Estimator(model, supports)(images, boxes)]
