"""Inference: an object's keypoints in any image, from one or a few annotated supports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmpose.datasets.pipelines import Compose
from torch import nn

from fmmp.datasets.annotations import clean_box
from fmmp.datasets.crop import center_and_scale
from fmmp.datasets.episode_dataset import DataSettings, episode_tensors
from fmmp.errors import InputError

Box = Sequence[float]


@dataclass(frozen=True, eq=False)
class Support:
    """An annotated image.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        keypoints: (K_c, 2) pixels.
        visible: (K_c,) bool, which keypoints are annotated.
        skeleton: 0-based links, pairs of keypoints.
        box: x, y, width, height in pixels of the object; None for the whole image.
    """

    image: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    skeleton: Sequence[tuple[int, int]]
    box: Box | None = None


def read_image(path: str | Path) -> np.ndarray:
    """Read an image (H, W, 3) uint8, RGB.

    Raises:
        OSError: the file is missing or no readable image.
    """
    try:
        image = mmcv.imread(str(path), channel_order='rgb')
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: there is no such image') from None
    if image is None:
        raise OSError(f'{path}: not a readable image')
    return image


def read_support(image: str | Path, keypoint_file: str | Path) -> Support:
    """Read a support: an image and its keypoint file.

    The file is a JSON object with ``keypoints``, either [[x, y], …], null for one that is not to be
    seen, or COCO's flat [x, y, v, …]; ``skeleton``, 0-based links [[i, j], …]; and, if wanted,
    ``bbox`` [x, y, width, height].

    Raises:
        OSError: a file is missing, or the image is not readable.
        InputError: the keypoint file is not of that form.
    """
    pixels = read_image(image)
    try:
        content = json.loads(Path(keypoint_file).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{keypoint_file}: there is no such keypoint file') from None
    except ValueError as error:
        raise InputError(f'{keypoint_file}: not JSON ({error})') from error
    try:
        keypoints, visible = _keypoints(content['keypoints'])
        skeleton = tuple((int(i), int(j)) for i, j in content['skeleton'])
        box = content.get('bbox')
        box = None if box is None else tuple(map(float, np.reshape(box, 4)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{keypoint_file}: give an object with 'keypoints' [[x, y], …] (null for one out of "
            "sight) or [x, y, v, …], 'skeleton' [[i, j], …] counted from 0, and, if wanted, 'bbox' "
            f'[x, y, width, height] ({type(error).__name__}: {error})'
        ) from error
    support = Support(pixels, keypoints, visible, skeleton, box)
    _check_support(support, str(keypoint_file))
    return support


def _keypoints(values: list) -> tuple[np.ndarray, np.ndarray]:
    if values and not any(isinstance(value, (list, type(None))) for value in values):
        table = np.array(values, float).reshape(-1, 3)
        return table[:, :2], table[:, 2] > 0
    visible = np.array([value is not None for value in values])
    points = [value or (0, 0) for value in values]
    return np.array(points, float).reshape(-1, 2), visible


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
        InputError: the supports differ in their number of keypoints or their skeleton, have more
            keypoints than the model, or a box is outside its image.
    """
    boxes = [None] * len(images) if boxes is None else boxes
    if len(boxes) != len(images):
        raise InputError(f'{len(boxes)} boxes for {len(images)} query images')
    for number, support in enumerate(supports, 1):
        _check_support(support, f'support {number}')
    count = len(supports[0].keypoints)
    settings = DataSettings(**model.cfg.data.test.data_cfg)
    if any(len(s.keypoints) != count or [*s.skeleton] != [*supports[0].skeleton] for s in supports):
        raise InputError('the supports differ in their number of keypoints or their skeleton')
    if count > settings.num_keypoints:
        raise InputError(
            f'{count} keypoints are more than the {settings.num_keypoints} of the model'
        )

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


def _check_support(support: Support, where: str) -> None:
    count = len(support.keypoints)
    if not support.visible.any():
        raise InputError(f'{where}: no keypoint is annotated')
    if not support.skeleton:
        raise InputError(f'{where}: the skeleton is empty: link the keypoints')
    if any(not 0 <= k < count for link in support.skeleton for k in link):
        raise InputError(
            f'{where}: the skeleton links a keypoint that does not exist: the {count} keypoints '
            f'are 0 to {count - 1}'
        )


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
    if clean is None:
        raise InputError(f'the box {box} has nothing inside its image of {width} × {height} pixels')
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
