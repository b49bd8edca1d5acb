"""CVAT's auto-annotation function: a category's skeletons, from its annotated picture.

    cvat-cli task auto-annotate 137 --function-module fmmp.serve.cvat \\
        -p support=str:cat.jpg -p keypoints=str:cat.json

The task's skeleton label must have the category's name and its keypoints'.
"""

from __future__ import annotations

import cvat_sdk.auto_annotation as cvataa
import numpy as np
import PIL.Image
from cvat_sdk import models
from torch import nn

from fmmp.app.serving import load_model
from fmmp.errors import InputError

from .category import Category, given_category, suggested

SKELETON = 0  # the label's id in the function's own numbering


class KeypointFunction:
    """Finds a category's keypoints in CVAT's frames, one object a frame.

    Args:
        model: of `fmmp.apis.init_model`.
        category: its shots.
    """

    def __init__(self, model: nn.Module, category: Category) -> None:
        self.model, self.category = model, category
        keypoints = [cvataa.keypoint_spec(name, i) for i, name in enumerate(category.names)]
        label = cvataa.skeleton_label_spec(category.name, SKELETON, keypoints)
        self._spec = cvataa.DetectionFunctionSpec(labels=[label])

    @property
    def spec(self) -> cvataa.DetectionFunctionSpec:
        """The labels that it finds."""
        return self._spec

    def detect(
        self, context: cvataa.DetectionFunctionContext, image: PIL.Image.Image
    ) -> list[models.LabeledShapeRequest]:
        """The skeleton in a frame; keypoints of too little confidence are outside."""
        from fmmp.apis.images import image_pixels

        pixels = image_pixels(image, context.frame_name)
        (pose,) = self.category.find(self.model, pixels, [None])
        height, width = pixels.shape[:2]
        points = np.clip(pose.keypoints, 0, (width, height))
        kept = suggested(pose, context.conf_threshold or 0)
        if not kept.any():
            return []
        elements = [
            cvataa.keypoint(number, point.tolist(), outside=not is_kept)
            for number, (point, is_kept) in enumerate(zip(points, kept.tolist(), strict=True))
        ]
        return [cvataa.skeleton(SKELETON, elements)]


def create(
    support: str | None = None,
    keypoints: str | None = None,
    labels: str | None = None,
    images: str | None = None,
    category: str | None = None,
    config: str | None = None,
    checkpoint: str | None = None,
    device: str = 'cpu',
) -> KeypointFunction:
    """The function, as cvat-cli makes it of its ``-p`` parameters.

    Args:
        support: an annotated picture.
        keypoints: its keypoint file.
        labels: a labelling tool's file, in place of both; CVAT's own XML, too.
        images: the folder of its images.
        category: the skeleton label's name.
        config: a method's config; unless given, the starter's.
        checkpoint: its checkpoint.
        device: where it runs.

    Raises:
        InputError: nothing annotated is given, or it cannot be used.
    """
    pairs = [support] if support else [], [keypoints] if keypoints else []
    given = given_category(*pairs, labels, images, category)
    if given is None:
        raise InputError('give an annotated picture: -p support=str:… -p keypoints=str:…')
    return KeypointFunction(load_model(config, checkpoint, device), given)
