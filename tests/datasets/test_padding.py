import numpy as np
import pytest
from fmmp.datasets import pad_keypoints, structural_references

POINTS = np.array([[0.0, 0.0], [1.0, 0.5]])
SHOWN = np.array([True, True])
LINKS = [[0, 1]]


@pytest.mark.parametrize('method', ['uniform', 'mixup'])
def test_padding_and_references_equal_the_recorded_ones(golden, method):
    for case in golden('padding.json'):
        expected = case['expected'][method]
        keypoints, visible, skeleton = pad_keypoints(
            np.array(case['keypoints']),
            np.array(case['visible']),
            case['skeleton'],
            case['total'],
            method,
            lam=np.array(case['mixup_lambda']),
            link=np.array(case['mixup_link']),
        )
        np.testing.assert_allclose(keypoints, expected['keypoints'], rtol=0, atol=1e-5)
        assert visible.tolist() == expected['visible']
        assert skeleton == expected['skeleton']
        index, hops = structural_references(visible, skeleton)
        assert index.tolist() == expected['reference_index']
        assert hops.tolist() == expected['reference_hops']


def test_zero_padding_adds_invisible_zeros_and_keeps_the_skeleton():
    keypoints, visible, skeleton = pad_keypoints(POINTS, SHOWN, LINKS, 4, 'zero')
    assert keypoints.tolist() == [[0, 0], [1, 0.5], [0, 0], [0, 0]]
    assert visible.tolist() == [True, True, False, False]
    assert skeleton == LINKS


def test_zero_padding_needs_no_skeleton():
    _, _, skeleton = pad_keypoints(POINTS, SHOWN, [], 4, 'zero')
    assert skeleton == []


def test_uniform_padding_runs_from_the_end_of_a_link_to_its_start():
    keypoints, _, skeleton = pad_keypoints(POINTS, SHOWN, LINKS, 3 + 2, 'uniform')
    np.testing.assert_allclose(keypoints[2:], [[0.75, 0.375], [0.5, 0.25], [0.25, 0.125]])
    assert skeleton == [[0, 1], [0, 2], [2, 3], [3, 4], [4, 1]]


def test_points_on_a_link_with_an_invisible_end_are_invisible_and_unchained():
    _, visible, skeleton = pad_keypoints(POINTS, np.array([True, False]), LINKS, 4, 'uniform')
    assert visible.tolist() == [True, False, False, False]
    assert skeleton == LINKS


def test_a_category_with_k_keypoints_stays_as_it_is():
    keypoints, visible, skeleton = pad_keypoints(POINTS, SHOWN, LINKS, 2, 'uniform')
    assert keypoints.tolist() == POINTS.tolist()
    assert visible.tolist() == SHOWN.tolist()
    assert skeleton == LINKS


@pytest.mark.parametrize(
    ('links', 'total', 'method', 'message'),
    [
        (LINKS, 4, 'mixup', "'lam' and 'link'"),
        (LINKS, 4, 'mean', 'unknown padding'),
        (LINKS, 1, 'zero', 'cannot be padded'),
        ([], 4, 'uniform', 'needs a skeleton'),
    ],
)
def test_padding_that_cannot_be_done_says_why(links, total, method, message):
    with pytest.raises(ValueError, match=message):
        pad_keypoints(POINTS, SHOWN, links, total, method)
