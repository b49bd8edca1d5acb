import json
import logging

import numpy as np
import PIL.Image
import pytest

from fmmp.errors import InputError

from .pictures import NAMES, NEAR, POINTS, pixels, write_support

cvataa = pytest.importorskip('cvat_sdk.auto_annotation')
driver = pytest.importorskip('cvat_sdk.auto_annotation.driver')
models = pytest.importorskip('cvat_sdk.models')


class Context(cvataa.DetectionFunctionContext):
    """What CVAT's driver hands to a function."""

    def __init__(self, conf_threshold=None):
        self._threshold = conf_threshold

    frame_name = 'frame.png'
    conf_threshold = property(lambda self: self._threshold)
    conv_mask_to_poly = False


@pytest.fixture
def function(starter, beetle):
    from fmmp.serve.cvat import KeypointFunction

    return KeypointFunction(starter, beetle)


def test_the_function_says_which_labels_it_finds(function):
    (label,) = function.spec.labels
    assert (label.name, label.type) == ('beetle', 'skeleton')
    assert [(one.name, one.type, one.id) for one in label.sublabels] == [
        (name, 'points', number) for number, name in enumerate(NAMES)
    ]


def test_a_frame_gets_a_skeleton(function):
    image = PIL.Image.fromarray(pixels((15, 10)))
    (skeleton,) = function.detect(Context(), image)
    assert (skeleton.type.value, skeleton.frame, skeleton.label_id) == ('skeleton', 0, 0)
    place = np.array([list(element.points) for element in skeleton.elements])
    assert (np.linalg.norm(place - (POINTS + np.array((15, 10))), axis=1) < NEAR).all()
    assert not any(element.outside for element in skeleton.elements)
    assert not hasattr(skeleton, 'source') and not hasattr(skeleton, 'id')


def test_keypoints_that_no_shot_shows_are_outside(starter, tailless):
    from fmmp.serve.cvat import KeypointFunction

    function = KeypointFunction(starter, tailless)
    (skeleton,) = function.detect(Context(), PIL.Image.fromarray(pixels()))
    assert [element.outside for element in skeleton.elements] == [False] * (len(NAMES) - 1) + [True]


def test_keypoints_of_too_little_confidence_are_outside(function):
    found = function.detect(Context(1.0), PIL.Image.fromarray(pixels()))
    assert found == [] or any(element.outside for element in found[0].elements)


def test_cvats_own_driver_takes_what_the_function_finds(function):
    """It matches labels by name, and refuses what breaks CVAT's rules."""
    sublabels = [
        models.Sublabel(name=name, id=100 + number, type='points', attributes=[])
        for number, name in enumerate(reversed(NAMES))
    ]
    label = models.Label(name='beetle', id=7, type='skeleton', attributes=[], sublabels=sublabels)
    mapper = driver._AnnotationMapper(
        logging.getLogger(),
        function.spec.labels,
        [label],
        allow_unmatched_labels=False,
        conv_mask_to_poly=False,
    )
    found = function.detect(Context(), PIL.Image.fromarray(pixels()))
    mapper.validate_and_remap(found, 5)
    (skeleton,) = found
    assert (skeleton.frame, skeleton.label_id) == (5, 7)
    assert sorted(element.label_id for element in skeleton.elements) == [100, 101, 102, 103]


def test_the_function_is_made_of_cvat_clis_parameters(tmp_path):
    from fmmp.serve import cvat

    image, keypoints = write_support(tmp_path, category='bug')
    made = cvat.create(support=str(image), keypoints=str(keypoints))
    assert made.spec.labels[0].name == 'bug'
    assert json.loads(keypoints.read_text())['names'] == NAMES
    with pytest.raises(InputError, match='annotated picture'):
        cvat.create()
