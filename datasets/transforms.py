"""Pipeline transforms, registered in MMPose."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv import FileClient
from mmpose.datasets.builder import PIPELINES
from torchvision.transforms import functional as F

from .crop import PIXEL_STD, crop_image, crop_keypoints, crop_transform
from .reduced_decoding import decode_reduced


@PIPELINES.register_module()
class LoadReducedImage:
    """Load an image, a JPEG at 1/2, 1/4 or 1/8 of its size where the crop needs no more.

    It takes the place of MMPose's ``LoadImageFromFile``. The crop never enlarges what is read.
    Keypoints are the same; crops are smoother, since what is reduced is averaged, and a crop of the
    whole image takes samples of its pixels.

    Reads ``image_file``, ``center``, ``scale`` and ``image_size``; gives ``img``, RGB, and
    ``img_transform``, the affine map (2, 3) from its pixels to the whole image's.

    Args:
        smallest_scale: the smallest factor by which a later step may multiply ``scale``; training
            draws from 0.85 on.
        file_client_args: of MMCV's ``FileClient``, which reads the file.
    """

    def __init__(self, smallest_scale: float = 0.85, file_client_args: dict | None = None) -> None:
        self.smallest_scale = smallest_scale
        self.file_client_args = file_client_args or {'backend': 'disk'}
        self.file_client = None

    def __call__(self, results: dict) -> dict:
        """Load the image."""
        if self.file_client is None:  # in the process that reads
            self.file_client = FileClient(**self.file_client_args)
        data = self.file_client.get(results['image_file'])
        side = self.smallest_scale * float(results['scale'][0]) * PIXEL_STD
        results['img'], results['img_transform'] = decode_reduced(
            data, side / results['image_size']
        )
        return results


@PIPELINES.register_module()
class CropInstance:
    """Cut out the instance and move its keypoints into the crop.

    Reads ``img``, ``center``, ``scale``, ``rotation`` in degrees (0 unless given), ``image_size``,
    ``keypoints`` (K_c, 2) in image pixels and ``visible`` (K_c,), and ``img_transform`` where
    ``img`` is reduced. Replaces ``img`` by the crop, ``keypoints`` by points in crop sides and
    ``visible`` by the visibility in the crop.
    """

    def __call__(self, results: dict) -> dict:
        """Crop the image and its keypoints."""
        size = results['image_size']
        transform = crop_transform(
            results['center'], results['scale'], size, results.get('rotation', 0)
        )
        to_crop = transform
        if 'img_transform' in results:
            to_crop = transform @ np.vstack([results['img_transform'], [0, 0, 1]])
        results['img'] = crop_image(results['img'], to_crop, size)
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
