"""Inference: an object's keypoints in any image, from one or a few annotated supports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from fmmp.datasets.annotations import clean_box
from fmmp.datasets.crop import center_and_scale, to_image
from fmmp.datasets.preparation import Preparation

from .data import data_settings
from .inputs import check_model, check_queries, check_supports
from .support import Box, Support


def estimate(
    model: nn.Module,
    supports: Sequence[Support],
    images: Sequence[np.ndarray],
    boxes: Sequence[Box | None] | None = None,
) -> list[np.ndarray]:
    """Find the supports' keypoints in query images.

    Args:
        model: of `init_model`, whose ``cfg.data.test`` says how images are prepared.
        supports: S annotated images of one category, S whatever the model was trained with.
        images: Q query images (H, W, 3) uint8, RGB.
        boxes: the objects in them, x, y, width, height in pixels; None for the whole image.

    Returns:
        For every query, its keypoints (K_c, 2) in pixels.

    Raises:
        InputError: an argument is not what it must be; the message names it.
    """
    check_model(model)
    settings = data_settings(model.cfg)
    check_supports(supports, settings.num_keypoints, settings.padding_method.needs_links)
    check_queries(images, boxes)
    boxes = [None] * len(images) if boxes is None else boxes
    count = len(supports[0].keypoints)

    prepare = Preparation(model.cfg.data.test.pipeline, settings)
    views = [prepare(s.image, _clean(s.box, s.image), s.keypoints, s.visible) for s in supports]
    nowhere = np.zeros((count, 2)), np.zeros(count, bool)
    clean = [_clean(box, image) for image, box in zip(images, boxes, strict=True)]
    views += [prepare(image, box, *nowhere) for image, box in zip(images, clean, strict=True)]
    episode = prepare.episode(views, supports[0].skeleton)
    batch = {name: value[None] for name, value in episode.items()}
    with torch.no_grad():
        found = model(return_loss=False, **batch, num_queries=len(images), index=torch.tensor([0]))
    points = found['points'][0, :, -1, :count].double().numpy()
    return [
        to_image(query, *center_and_scale(box)) for query, box in zip(points, clean, strict=True)
    ]


def _clean(box: Box | None, image: np.ndarray) -> Box:
    """A box clipped to its image; the whole image without one."""
    height, width = image.shape[:2]
    return clean_box((0, 0, width, height) if box is None else box, width, height)
