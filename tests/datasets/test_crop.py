import numpy as np
import pytest
from fmmp.datasets.crop import (
    center_and_scale,
    crop_image,
    crop_keypoints,
    crop_transform,
    to_image,
)

BOX = (20, 10, 30, 40)


def test_crops_equal_the_recorded_ones(golden):
    for case in golden('crop_and_metrics.json')['cases']:
        expected = case['expected']
        center, scale = center_and_scale(expected['clean_bbox'])
        np.testing.assert_allclose(center, expected['center'], rtol=0, atol=1e-5)
        np.testing.assert_allclose(scale, expected['scale'], rtol=0, atol=1e-5)
        annotated = np.array(case['keypoints'])
        points, visible = crop_keypoints(
            annotated[:, :2], annotated[:, 2] > 0, crop_transform(center, scale, 256), 256
        )
        np.testing.assert_allclose(points, expected['points'], rtol=0, atol=1e-5)
        assert visible.tolist() == expected['visible']


def test_the_crops_transform_is_mmposes_own_to_the_last_bit():
    from mmpose.core.post_processing import get_affine_transform

    generator = np.random.default_rng(0)
    for size in (1, 256, 384):
        for turn in (0, 0, *generator.normal(0, 15, 200)):
            center, scale = center_and_scale(
                (*generator.uniform(-50, 800, 2), *generator.uniform(1, 900, 2))
            )
            scale = scale * generator.uniform(0.85, 1.15)
            expected = get_affine_transform(center, scale, turn, (size, size))
            assert (crop_transform(center, scale, size, turn) == expected).all()


def test_points_go_to_the_crop_and_back():
    center, scale = center_and_scale(BOX)
    keypoints = np.array([[22.0, 12.0], [40.0, 33.0]])
    points, _ = crop_keypoints(keypoints, np.ones(2, bool), crop_transform(center, scale, 256), 256)
    np.testing.assert_allclose(to_image(points, center, scale), keypoints, atol=1e-4)


def test_going_back_to_the_image_is_mmposes_own_transform():
    from mmpose.core.post_processing import transform_preds

    center, scale = center_and_scale(BOX)
    points = np.random.RandomState(0).rand(5, 2)
    np.testing.assert_allclose(
        to_image(points, center, scale), transform_preds(points * 256, center, scale, [256, 256])
    )


@pytest.mark.parametrize('size', [128, 256])
def test_a_keypoint_is_visible_while_its_gaussian_touches_the_grid(size):
    cells = np.array([-8.4, -8.6, size // 4 + 5.4, size // 4 + 5.6])
    points = np.stack([cells * 4, np.full(4, size / 2)], axis=1)
    _, visible = crop_keypoints(points, np.ones(4, bool), np.eye(2, 3), size)
    assert visible.tolist() == [True, False, True, False]


def test_the_crop_is_centred_on_the_box_and_black_outside_the_image():
    image = np.full((60, 70, 3), 200, np.uint8)
    center, scale = center_and_scale((0, 0, 40, 40))
    crop = crop_image(image, crop_transform(center, scale, 64), 64)
    assert crop.shape == (64, 64, 3)
    assert (crop[:5, :5] == 0).all()
    assert (crop[10:, 10:] == 200).all()


def test_rotation_turns_about_the_centre():
    center, scale = center_and_scale(BOX)
    points = np.stack([center, center + np.array([10, 0])])
    turned, _ = crop_keypoints(
        points, np.ones(2, bool), crop_transform(center, scale, 256, rotation=90), 256
    )
    np.testing.assert_allclose(turned[0], [0.5, 0.5], atol=1e-5)
    np.testing.assert_allclose(turned[1], [0.5, 0.3], atol=1e-5)


def test_training_turns_and_scales_as_the_paper_says(small_dataset):
    """Rotation N(0, 15°) within ±30° in 60 % of the samples, scale within 0.85 to 1.15, always."""
    from mmcv import Config
    from mmpose.datasets.pipelines import Compose

    import fmmp.apis  # noqa: F401 (registers the transforms)
    from tests.tiny import CONFIG

    augment = Compose(Config.fromfile(str(CONFIG)).data.train.pipeline[1:2])
    np.random.seed(0)  # noqa: NPY002 (MMPose draws from it)
    drawn = [augment({'scale': np.ones(2, np.float32), 'rotation': 0}) for _ in range(2000)]
    rotation = np.array([view['rotation'] for view in drawn])
    scale = np.array([view['scale'][0] for view in drawn])
    assert 0.55 < np.mean(rotation != 0) < 0.65
    assert abs(rotation).max() == 30
    assert 12 < np.std(rotation[rotation != 0]) < 15
    assert np.isclose(scale.min(), 0.85) and np.isclose(scale.max(), 1.15)
    assert np.std(scale) > 0.08
