"""Pipeline transforms, registered in MMPose."""

from mmpose.datasets.builder import PIPELINES

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
