"""Inference: an object's keypoints in any image, from one or a few annotated supports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmpose.datasets.pipelines import Compose
from torch import nn

from fmmp.datasets.annotations import clean_box
from fmmp.datasets.crop import center_and_scale
from fmmp.datasets.episode_dataset import DataSettings, episode_tensors

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
    settings = DataSettings(**model.cfg.data.test.data_cfg)
    check_supports(supports, settings.num_keypoints)
    check_queries(images, boxes)
    boxes = [None] * len(images) if boxes is None else boxes
    count = len(supports[0].keypoints)

    pipeline = Compose(model.cfg.data.test.pipeline[1:])  # after reading the image
    views = [_view(pipeline, settings, s.image, s.box, s.keypoints, s.visible) for s in supports]
    nowhere = np.zeros((count, 2)), np.zeros(count, bool)
    views += [
        _view(pipeline, settings, image, box, *nowhere)
        for image, box in zip(images, boxes, strict=True)
    ]
    shots = len(supports)
    episode = {
        **episode_tensors(views, supports[0].skeleton, settings),
        'center': torch.from_numpy(np.stack([view['center'] for view in views[shots:]])),
        'scale': torch.from_numpy(np.stack([view['scale'] for view in views[shots:]])),
        'index': torch.tensor(0),
    }
    with torch.no_grad():
        found = model(return_loss=False, **{name: value[None] for name, value in episode.items()})
    return list(found['predictions'][0][:, :count])


def _view(
    pipeline: Compose,
    settings: DataSettings,
    image: np.ndarray,
    box: Box | None,
    keypoints: np.ndarray,
    visible: np.ndarray,
) -> dict:
    """Crop and normalise an image."""
    height, width = image.shape[:2]
    clean = clean_box((0, 0, width, height) if box is None else box, width, height)
    center, scale = center_and_scale(clean)
    return pipeline(
        {
            'img': image,
            'image_size': settings.image_size,
            'center': center,
            'scale': scale,
            'keypoints': np.asarray(keypoints, np.float32),
            'visible': np.asarray(visible, bool),
        }
    )
