"""What the images' descriptors say for an answer."""

import pytest
import torch
from fmmp.models.layers.evidence import LEAST_SHARE, compare, describe_supports

LOWEST = torch.logit(torch.tensor(LEAST_SHARE)).item()
POINTS = torch.tensor([[[[0.22, 0.22], [0.72, 0.28], [0.47, 0.78]]]])  # (B, S, K, 2)


@pytest.fixture
def features():
    """Two levels of one image, in which no cell is like another."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 1, 32, side, side, generator=generator) for side in (4, 16)]


def judged(features, answers, visible=(True, True, True), queries=None):
    supports = describe_supports(features, POINTS, torch.tensor([[visible]]))
    return compare(supports, queries or features, answers)


def test_the_supports_own_points_have_all_evidence_for_them_and_others_none(features):
    right, wrong = (judged(features, p) for p in (POINTS, POINTS.flip(2)))
    torch.testing.assert_close(right['similarity'], torch.ones(1, 1, 3))
    assert (right['there'] > 2).all() and (right['back'] > 2).all() and (right['margin'] > 0).all()
    swapped = torch.tensor([True, False, True])  # the second is where it was
    assert (wrong['there'][0, 0, swapped] < -2).all() and (wrong['back'][0, 0, swapped] < -2).all()
    assert (wrong['margin'][0, 0, swapped] < 0).all()
    torch.testing.assert_close(wrong['there'][0, 0, 1], right['there'][0, 0, 1])


def test_in_an_image_of_one_colour_a_match_is_spread_evenly(features):
    flat = [torch.ones_like(level) for level in features]
    found = judged(features, POINTS, queries=flat)
    share = torch.pi * 0.08**2
    assert found['there'].sigmoid() == pytest.approx(torch.full((1, 1, 3), share), abs=0.01)


def test_a_keypoint_that_no_support_shows_has_the_lowest_evidence_and_is_no_rival(features):
    found = judged(features, POINTS, visible=(True, False, False))
    assert found['there'][0, 0, 1:].tolist() == pytest.approx([LOWEST] * 2)
    assert found['back'][0, 0, 1:].tolist() == pytest.approx([LOWEST] * 2)
    assert found['margin'][0, 0, 0] == pytest.approx(2.0)  # there is no other to be like
    assert (found['margin'][0, 0, 1:] <= -1).all()
    assert all(torch.isfinite(values).all() for values in found.values())


def test_of_several_supports_those_count_that_show_the_keypoint(features):
    others = [torch.cat([level, level.flip(-1)], dim=1) for level in features]
    points = torch.cat([POINTS, POINTS.flip(2)], dim=1)
    visible = torch.tensor([[[True] * 3, [False] * 3]])
    both = compare(describe_supports(others, points, visible), features, POINTS)
    for name, values in judged(features, POINTS).items():
        torch.testing.assert_close(both[name], values)
