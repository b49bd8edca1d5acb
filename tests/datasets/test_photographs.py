"""Photographs of installed packages, and views of them."""

import json

import numpy as np
import pytest
from fmmp.datasets import photographs
from fmmp.datasets.photographs import read_photographs, view_of

from fmmp.errors import InputError

POINTS = np.array([[30.0, 40.0], [90.0, 50.0], [60.0, 100.0]])


@pytest.mark.parametrize(
    'change',
    [
        {},
        {'turn': 70},
        {'mirrored': True, 'turn': -30, 'zoom': 0.8},
        {'zoom': 0.7, 'shift': (0.1, 0)},
    ],
)
def test_a_views_keypoints_lie_on_what_they_mark(change):
    image = np.full((140, 130, 3), 255, np.uint8)
    for number, (x, y) in enumerate(POINTS.astype(int)):
        image[y - 5 : y + 6, x - 5 : x + 6] = 50 * number
    view = view_of(image, POINTS, 200, **change)
    assert view.image.shape == (200, 200, 3) and view.visible.all()
    for number, (x, y) in enumerate(view.keypoints.round().astype(int)):
        assert abs(int(view.image[y, x, 0]) - 50 * number) < 3
    x, y, width, height = view.box
    assert (view.keypoints > (x, y)).all() and (view.keypoints < (x + width, y + height)).all()


def test_a_view_that_is_darker_keeps_white_around_the_picture():
    view = view_of(np.full((80, 80, 3), 200, np.uint8), POINTS, 200, zoom=0.5, light=0.5)
    assert view.image[0, 0].tolist() == [255] * 3 and view.image[100, 100].tolist() == [100] * 3


def test_a_keypoint_outside_a_closer_view_is_invisible():
    view = view_of(np.zeros((140, 130, 3), np.uint8), POINTS, 200, zoom=1.2, shift=(0.3, 0))
    assert view.visible.tolist() == [True, False, True]


def test_every_kind_has_an_annotated_view_and_others_with_most_keypoints():
    kinds = read_photographs(size=64)
    for kind in kinds:
        first, *others = kind.views
        assert first.visible.all() and len(others) == 3 and kind.sources
        assert max(map(max, kind.skeleton)) < len(first.keypoints)
        for view in others:
            assert view.keypoints.shape == first.keypoints.shape and view.visible.mean() > 0.6
    assert 'another person' in kinds[0].changes


def test_further_views_are_different_and_the_same_at_every_call():
    (kind,) = read_photographs(size=64, more=3, names=['face'])
    (again,) = read_photographs(size=64, more=3, names=['face'])
    assert len(kind.views) == 7 and len(kind.keypoints) == len(kind.views[0].keypoints)
    points = np.stack([view.keypoints for view in kind.views])
    assert len(np.unique(points, axis=0)) == 7
    assert (points == np.stack([view.keypoints for view in again.views])).all()


def test_a_photograph_that_is_not_there_is_named_with_what_to_install(tmp_path, monkeypatch):
    picture = {'file': 'nowhere/cat.png', 'package': 'some-package', 'keypoints': [[0, 0]]}
    (tmp_path / 'some.json').write_text(json.dumps([{'pictures': [picture]}]))
    monkeypatch.setattr(photographs, '_FILE', tmp_path / 'some.json')
    with pytest.raises(InputError, match='nowhere/cat.png: .* pip install some-package'):
        read_photographs()
