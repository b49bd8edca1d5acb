import pytest
import torch
import torch.nn.functional as F
from fmmp.models.layers.heatmaps import (
    heatmaps,
    pool_by_heatmaps,
    resampled_heatmaps,
    support_features,
    touches_heatmap,
)

SIZE = 16


@pytest.fixture
def keypoints():
    """Points in and around the image, some of them invisible: (2, 3, 20, 2) and (2, 3, 20)."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 3, 20, 2, generator=generator) * 1.6 - 0.3
    return points, torch.rand(2, 3, 20, generator=generator) > 0.3


@pytest.mark.parametrize('sigma', [1, 2])
def test_a_heatmap_is_a_gaussian_of_peak_1_cut_at_three_sigma(sigma):
    point = torch.tensor([[5.6 / SIZE, 3.4 / SIZE]])
    drawn = heatmaps(point, torch.tensor([True]), SIZE, sigma)[0]
    assert drawn[3, 6] == 1 == drawn.max()
    offset = 3 * sigma
    assert drawn[3 + offset, 6] == pytest.approx(torch.exp(torch.tensor(-4.5)).item())
    assert drawn[3 + offset + 1, 6] == 0 == drawn[3, 6 + offset + 1]


def test_an_invisible_keypoint_has_an_empty_heatmap():
    assert not heatmaps(torch.full((1, 2), 0.5), torch.tensor([False]), SIZE).any()


def test_cells_are_rounded_half_up_then_cut_towards_zero():
    points = torch.tensor([[-0.9, 2.5]]) / SIZE  # cells int(-0.4) = 0 and int(3.0) = 3
    assert heatmaps(points, torch.tensor([True]), SIZE)[0, 3, 0] == 1


def test_a_point_counts_as_visible_up_to_one_cell_before_its_gaussian_reaches_the_heatmap():
    cells = torch.tensor([-5.0, -4.0, SIZE + 2.0, SIZE + 3.0])
    points = torch.stack((cells - 0.5, torch.full((4,), 5.0)), dim=-1) / SIZE
    points[2:, 0] += 0.5 / SIZE  # where truncation is downwards
    assert touches_heatmap(points, SIZE, sigma=1).tolist() == [False, True, True, False]
    drawn = heatmaps(points, torch.ones(4, dtype=torch.bool), SIZE, sigma=1)
    assert drawn.flatten(1).any(1).tolist() == [False, False, True, False]


@pytest.mark.parametrize('sizes', [(SIZE,), (8, SIZE)], ids=['one step', 'two steps'])
def test_pooling_is_that_of_upsampled_features_weighted_by_whole_heatmaps(keypoints, sizes):
    points, visible = keypoints
    maps = torch.randn(2, 3, 5, 4, 4, generator=torch.Generator().manual_seed(1))
    pooled = pool_by_heatmaps(maps, points, visible, sizes)
    upsampled = maps.flatten(0, 1)
    for size in sizes:
        upsampled = F.interpolate(upsampled, size=(size, size), mode='bilinear')
    weights = heatmaps(points, visible, SIZE).flatten(0, 1)
    weights = weights / (weights.sum((-2, -1), keepdim=True) + 1e-8)
    expected = torch.einsum('bkhw,bchw->bkc', weights, upsampled).unflatten(0, (2, 3))
    torch.testing.assert_close(pooled, expected, atol=1e-5, rtol=1e-5)
    assert not pooled[~visible].any()


def test_supports_are_averaged_and_keypoints_that_a_shot_does_not_show_take_no_part(keypoints):
    points, visible = keypoints
    maps = torch.randn(2, 3, 5, 4, 4, generator=torch.Generator().manual_seed(1))
    features, mask = support_features(maps, points, visible, [SIZE])
    assert torch.equal(mask, visible.all(1)) and mask.any() and not mask.all()
    assert not features[~mask].any()
    expected = pool_by_heatmaps(maps, points, visible, [SIZE]).mean(1)
    torch.testing.assert_close(features[mask], expected[mask])


def test_resampled_heatmaps_are_those_that_interpolation_gives_with_peak_1(keypoints):
    points, visible = keypoints
    resampled = resampled_heatmaps(points, visible, SIZE, cells=4)
    drawn = heatmaps(points, visible, SIZE).flatten(0, 1)
    expected = F.interpolate(drawn, size=(4, 4), mode='bilinear').unflatten(0, (2, 3))
    expected = expected / (expected.amax((-2, -1), keepdim=True) + 1e-10)
    torch.testing.assert_close(resampled, expected, atol=1e-6, rtol=1e-5)
