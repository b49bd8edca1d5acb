"""What `estimate` answers to arguments that it cannot use: which one, and what it must be."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fmmp.apis import Support, estimate
from fmmp.errors import InputError
from tests.tiny import tiny_config

IMAGE = np.zeros((64, 80, 3), np.uint8)
SUPPORT = Support(IMAGE, np.ones((3, 2)), np.ones(3, bool), [(0, 1), (1, 2)], (0, 0, 40, 40))
MANY = Support(IMAGE, np.ones((13, 2)), np.ones(13, bool), [(0, 1)])


def points(**values):
    keypoints = np.ones((3, 2))
    keypoints[1] = values['second']
    return replace(SUPPORT, keypoints=keypoints)


@pytest.fixture
def model(tmp_path):
    """What estimate asks of a model before an image passes it."""
    return SimpleNamespace(
        cfg=tiny_config(tmp_path), calibration=None, encode=lambda supports: None
    )


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'model': SimpleNamespace()}, 'model must be what init_model returns, not a SimpleNames'),
        ({'supports': []}, 'supports must be a list with one Support at least, not an empty one'),
        ({'supports': SUPPORT}, 'supports must be a list with one Support at least, not a Support'),
        ({'supports': [IMAGE]}, r'supports\[0\] must be a Support, not a ndarray'),
        ({'supports': [SUPPORT, MANY]}, r'supports\[0\] and supports\[1\] differ in their number'),
        (
            {'supports': [SUPPORT, replace(SUPPORT, skeleton=[(0, 1), (0, 2)])]},
            r'supports\[0\] and supports\[1\] differ .* skeleton: give supports of one category',
        ),
        ({'supports': [MANY]}, 'supports: 13 keypoints, and the model has 12'),
        ({'images': None}, 'images must be a list, one image each, not a NoneType'),
        ({'images': IMAGE}, 'images must be a list, one image each, not a ndarray'),
        ({'images': [None]}, r'images\[0\] must be a path, .* not a NoneType'),
        ({'images': [IMAGE, IMAGE[..., :2]]}, r'images\[1\] must be .* not uint8 \(64, 80, 2\)'),
        ({'images': [IMAGE / 255]}, r'images\[0\] .* of uint8 from 0 to 255, .* not float64 \(64'),
        ({'images': [IMAGE[:1]]}, r'images\[0\] must have 2 × 2 pixels at least .* not 80 × 1'),
        ({'boxes': 5}, 'boxes must be a list, one box each, not a int'),
        ({'boxes': []}, 'boxes: 0 for 1 images; give each one, or None'),
        ({'boxes': [None, None]}, 'boxes: 2 for 1 images; give each one, or None'),
        ({'boxes': [(0, 0, 9)]}, r'boxes\[0\] must be x, y, width and height .* not \(0, 0, 9\)'),
        ({'boxes': [(0, 0, np.nan, 9)]}, r'boxes\[0\] must be x, y, width and .* not \(0, 0, nan'),
        ({'boxes': ['left']}, r"boxes\[0\] must be x, y, width and height .* not 'left'"),
        ({'boxes': [(99, 0, 9, 9)]}, r'boxes\[0\] .* nothing inside its image of 80 × 64 pixels'),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_must_be(model, wrong, message):
    arguments = {'model': model, 'supports': [SUPPORT], 'images': [IMAGE]}
    with pytest.raises(InputError, match=message):
        estimate(**{**arguments, **wrong})


@pytest.mark.parametrize(
    ('support', 'message'),
    [
        (replace(SUPPORT, image=IMAGE[..., :2]), r'image must be .* not uint8 \(64, 80, 2\)'),
        (
            replace(SUPPORT, keypoints=np.ones((3, 3))),
            r'keypoints must be \(K, 2\) pixels, not f',
        ),
        (replace(SUPPORT, keypoints=[(1, 2), (3,)]), r'keypoints must be \(K, 2\) pixels, not a l'),
        (replace(SUPPORT, keypoints=np.full((3, 2), 'a')), r'keypoints must be \(K, 2\) pixels'),
        (points(second=np.nan), r'keypoint 1 is \[nan, nan\]: .* finite pixels; one out of sight'),
        (points(second=np.inf), r'keypoint 1 is \[inf, inf\]: keypoints must be finite'),
        (points(second=1e30), r'keypoint 1 is \[1e\+30, 1e\+30\]: keypoints must be finite'),
        (
            replace(SUPPORT, visible=np.ones(4, bool)),
            r'visible must be a bool for .* 3 .* bool \(',
        ),
        (replace(SUPPORT, visible=[2, 2, 0]), r'visible must be a bool for each .* not int64 \(3,'),
        (replace(SUPPORT, visible=np.zeros(3, bool)), 'no keypoint is annotated: one at least'),
        (replace(SUPPORT, skeleton=[]), 'skeleton is empty: link the keypoints'),
        (replace(SUPPORT, skeleton=[0, 1]), r'skeleton must be pairs .* counted from 0, not int64'),
        (
            replace(SUPPORT, skeleton=[(0, 0.5)]),
            r'skeleton must be pairs of keypoints .* not fl',
        ),
        (replace(SUPPORT, skeleton=[(1, 3)]), 'does not exist: the 3 keypoints are 0 to 2'),
        (replace(SUPPORT, box=(0, 0)), r'box must be x, y, width and height .* not \(0, 0\)'),
        (replace(SUPPORT, box=(99, 0, 9, 9)), 'box must meet its image: .* nothing inside'),
    ],
)
def test_a_support_that_cannot_be_used_is_named_with_what_it_must_be(model, support, message):
    with pytest.raises(InputError, match=rf'^supports\[1\]: .*{message}'):
        estimate(model, [SUPPORT, support], [IMAGE])
