"""One annotated image, then any number of others, in whatever form they come."""

import json
import threading
from dataclasses import replace

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmmp.apis import Estimator, Support, init_model, read_image, read_support
from fmmp.apis import test as evaluate
from fmmp.apis.starter import matching_config, starter_config
from fmmp.checkpoints import save_atomically
from fmmp.errors import InputError
from tests.extending import toys
from tests.methods import METHODS, TRAINED
from tests.tiny import tiny_config

SKELETON = ((0, 1), (1, 2), (2, 3))


@pytest.fixture(scope='module')
def dataset(make_dataset, tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp('data') / 'small')


@pytest.fixture(scope='module')
def model(dataset):
    return init_model(tiny_config(dataset))


@pytest.fixture(scope='module')
def image():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)
    return cv2.resize(pixels, (80, 64))


@pytest.fixture(scope='module')
def support(image):
    points = np.array([(20, 20), (60, 20), (60, 50), (20.5, 40.5)])
    return Support(image, points, np.ones(4, bool), SKELETON, (10, 10, 60, 45))


@pytest.fixture(scope='module')
def estimator(model, support):
    return Estimator(model, [support])


def instances(dataset, numbers):
    """Supports of instances of the small data set, by their numbers."""
    content = json.loads((dataset / 'unified.json').read_text())
    for number in numbers:
        annotation, image = content['annotations'][number], content['images'][number]
        points = np.reshape(annotation['keypoints'], (-1, 3))
        links = content['categories'][annotation['category_id'] - 1]['skeleton']
        yield Support(
            str(dataset / 'images' / image['file_name']),
            points[:, :2],
            points[:, 2] > 0,
            links,
            annotation['bbox'],
        )


def config_of(method, dataset):
    if method == 'starter':
        return starter_config(tiny_config(dataset))
    config = tiny_config(dataset)
    if method == 'toy':
        config.model = dict(type='ToyMethod', backbone=dict(type='ToyBackbone'))
        config.data.data_cfg.num_references = 0
    elif method != 'FMMP':
        config.model = METHODS[method]
    return config


@pytest.mark.parametrize('method', ['starter', 'toy', *TRAINED])
def test_every_method_finds_what_its_evaluation_finds(dataset, tmp_path, method):
    assert toys  # registered
    config = config_of(method, dataset)
    checkpoint = None
    if method != 'starter':
        checkpoint = tmp_path / 'checkpoint.pth'
        save_atomically(init_model(config).state_dict(), checkpoint)
    report = evaluate(config, checkpoint)
    models = {1: init_model(config, checkpoint)}
    models[16] = init_model(config, checkpoint, for_testing=True)
    for first in range(0, len(report['pairs']), 2):  # the queries of an episode
        pairs = report['pairs'][first : first + 2]
        (support, *queries) = instances(dataset, [pairs[0][0], *(pair[-1] for pair in pairs)])
        for batch_size, model in models.items():
            estimator = Estimator(model, [support], batch_size)
            poses = estimator([q.image for q in queries], [q.box for q in queries])
            expected = np.array(report['predictions'][first : first + 2])
            assert np.stack([p.keypoints for p in poses]) == pytest.approx(expected, abs=1e-3)


def test_a_pose_holds_keypoints_layers_confidence_and_box(estimator, image):
    (pose,) = estimator([image], [(10, 10, 60, 45)])
    assert pose.keypoints.shape == (4, 2) and pose.layers.shape == (2, 4, 2)
    assert np.array_equal(pose.layers[-1], pose.keypoints)
    assert pose.confidence.shape == (4,)
    assert ((pose.confidence >= 0) & (pose.confidence <= 1)).all()
    assert pose.box == (10, 10, 60, 45)
    assert not pose.calibrated


def test_without_a_box_the_whole_image_is_meant_and_with_several_there_are_as_many_poses(
    estimator, image
):
    box = (5, 5, 40, 50)
    whole, one, both, none = estimator([image] * 4, [None, box, [None, box], []])
    assert whole.box == (0, 0, 80, 64)
    assert none == []
    for alone, together in zip((whole, one), both, strict=True):
        assert alone.box == together.box
        np.testing.assert_allclose(alone.keypoints, together.keypoints, atol=1e-3)
    found = estimator(np.stack([image] * 2), np.array([box] * 2))
    np.testing.assert_allclose(found[1].keypoints, one.keypoints, atol=1e-3)
    assert estimator([]) == []


def saved(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def turned(image):
    """The image as a camera saves it that was held upright: on its side, with a note in EXIF."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    return image.transpose(PIL.Image.Transpose.ROTATE_90), exif


def test_an_image_may_come_as_a_file_an_array_or_pillows(estimator, image, tmp_path):
    pillow = PIL.Image.fromarray(image)
    side, exif = turned(pillow)
    noted = PIL.Image.open(saved(tmp_path, 'noted.png', side, exif=exif))
    images = [
        image,
        np.asfortranarray(image),
        np.dstack([image, np.zeros((64, 80), np.uint8)]),
        image.astype(np.uint16) << 8,
        saved(tmp_path, 'plain.png', pillow),
        str(saved(tmp_path, 'alpha.png', pillow.convert('RGBA'))),
        tmp_path / 'noted.png',
        saved(tmp_path, 'noted.tif', side, exif=exif),
        pillow,
        pillow.convert('RGBA'),
        noted,
    ]
    first, *others = estimator(images)
    for other in others:
        np.testing.assert_allclose(other.keypoints, first.keypoints, atol=1e-3)


def test_grey_images_of_8_and_16_bits_are_seen_alike(estimator, image, tmp_path):
    grey = image[..., 0]
    deep = grey.astype(np.uint16) << 8
    cv2.imwrite(str(tmp_path / 'grey.png'), grey)
    cv2.imwrite(str(tmp_path / 'deep.png'), deep)
    images = [np.dstack([grey] * 3), grey, grey[..., None], deep, PIL.Image.fromarray(grey)]
    images += [tmp_path / 'grey.png', tmp_path / 'deep.png', PIL.Image.open(tmp_path / 'deep.png')]
    first, *others = estimator(images)
    for other in others:
        np.testing.assert_allclose(other.keypoints, first.keypoints, atol=1e-3)


def test_a_cmyk_image_is_seen_in_its_colours(image, tmp_path):
    path = saved(tmp_path, 'cmyk.jpg', PIL.Image.fromarray(image).convert('CMYK'), quality=100)
    difference = read_image(path).astype(float) - image
    assert np.abs(difference).mean() < 3


def test_keypoints_of_a_turned_photograph_are_where_people_see_them(model, image, tmp_path):
    """A support file's pixels count in the upright image, as a viewer shows it."""
    side, exif = turned(PIL.Image.fromarray(image))
    path = saved(tmp_path, 'noted.jpg', side, exif=exif, quality=100)
    (tmp_path / 'noted.json').write_text(
        json.dumps({'keypoints': [[20, 20], [60, 20]], 'skeleton': [[0, 1]]})
    )
    support = read_support(path, tmp_path / 'noted.json')
    assert support.image.shape == image.shape
    assert np.abs(support.image.astype(float) - image).mean() < 12
    (pose,) = Estimator(model, [support])([path])
    assert pose.box == (0, 0, 80, 64)


@pytest.mark.parametrize(
    ('keypoints', 'message'),
    [
        ([], 'no list of keypoints'),
        ([[1, 2], []], r'a keypoint is \[x, y\] or null'),
        ([[1, 2, 2], [3, 4, 2]], r'a keypoint is \[x, y\] or null; with v, all are one list'),
        ([[500, 900], [300, 400]], 'no keypoint is inside .*support.png, 80 × 64 pixels'),
    ],
)
def test_a_keypoint_file_that_is_wrong_says_how_it_should_be(image, tmp_path, keypoints, message):
    path = saved(tmp_path, 'support.png', PIL.Image.fromarray(image))
    (tmp_path / 'support.json').write_text(json.dumps({'keypoints': keypoints}))
    with pytest.raises(InputError, match=message):
        read_support(path, tmp_path / 'support.json')


def test_images_that_come_one_by_one_are_held_no_more_than_a_batch_at_a_time(model, support, image):
    taken = []

    def frames():
        for number in range(10):
            taken.append(number)
            yield image

    poses = Estimator(model, [support], batch_size=3).stream(frames())
    first = next(poses)
    assert len(taken) == 3
    rest = list(poses)
    assert len(rest) == 9
    np.testing.assert_allclose(rest[-1].keypoints, first.keypoints, atol=1e-3)


def test_threads_share_an_estimator(estimator, image):
    rng = np.random.default_rng(1)
    images = [np.roll(image, rng.integers(64), axis=0) for _ in range(6)]
    expected = [pose.keypoints for pose in estimator(images)]
    found = {}

    def work(number):
        for _ in range(3):
            found[number] = estimator([images[number]])[0].keypoints

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        np.testing.assert_allclose(found[number], expected[number], atol=1e-3)


def test_supports_may_show_different_keypoints_and_one_that_none_shows_has_no_confidence(
    model, support, image
):
    first = replace(support, visible=np.array([True, True, False, False]))
    second = replace(support, visible=np.array([False, True, True, False]))
    (pose,) = Estimator(model, [first, second])([image])
    assert np.isfinite(pose.keypoints).all()
    assert (pose.confidence[:3] > 0).all()
    assert pose.confidence[3] == 0


def test_a_method_offers_evidence_of_its_own(dataset, support, image, monkeypatch):
    monkeypatch.setattr(
        toys.ToyMethod,
        'evidence',
        lambda self, state, features, points: {'height': points[:, :, -1, :, 1]},
    )
    estimator = Estimator(init_model(config_of('toy', dataset)), [support])
    (pose,) = estimator([image])
    assert set(pose.evidence) == {'similarity', 'there', 'back', 'margin', 'last_step', 'height'}
    assert pose.evidence['height'].shape == (4,)


def test_the_starter_is_sure_of_a_copy_and_not_of_noise(support, image):
    estimator = Estimator(init_model(starter_config()), [support])
    noise = np.random.default_rng(2).integers(0, 256, (64, 80, 3), np.uint8)
    copy, other = estimator([image, noise], [support.box] * 2)
    assert copy.calibrated and other.calibrated
    assert copy.confidence.min() > 0.8
    assert other.confidence.max() < 0.5


STRANGE_NUMBERS = st.one_of(
    st.floats(-50, 150), st.sampled_from([0, 1e-9, -1e30, 1e30, np.inf, -np.inf, np.nan])
)
STRANGE_BOXES = st.one_of(
    st.none(),
    st.tuples(*[STRANGE_NUMBERS] * 4),
    st.lists(STRANGE_NUMBERS, max_size=5),
    st.lists(st.tuples(*[STRANGE_NUMBERS] * 4), max_size=2),
    st.sampled_from(['box', {}, [None], [[]], 3]),
)


@st.composite
def strange_images(draw):
    shape = draw(
        st.one_of(
            st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5)),
            st.tuples(st.integers(0, 40), st.integers(0, 40)),
            st.sampled_from([(), (3,), (2, 3000, 3), (2, 2, 2, 3), (1, 2, 3)]),
        )
    )
    dtype = draw(st.sampled_from(['u1', 'u1', 'u1', 'u2', '>u2', 'f4', 'i8', 'bool', 'O', 'U1']))
    pixels = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 255, shape).astype(dtype)
    modes = st.sampled_from(['1', 'L', 'P', 'LA', 'RGBA', 'CMYK', 'YCbCr', 'LAB', 'I', 'F', 'I;16'])
    return draw(
        st.one_of(
            st.just(pixels),
            st.just(pixels[::-1, ::-1] if pixels.ndim > 1 else pixels),
            modes.map(lambda mode: PIL.Image.new(mode, (7, 5))),
            st.sampled_from([None, 5, [[1, 2], [3, 4]], b'\x89PNG']),
        )
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(images=st.lists(strange_images(), max_size=3), boxes=st.lists(STRANGE_BOXES, max_size=3))
def test_strange_images_and_boxes_give_finite_poses_or_an_error_that_says_why(
    estimator, images, boxes
):
    try:
        found = estimator(images, boxes[: len(images)] if len(boxes) >= len(images) else None)
    except InputError:
        return
    for poses in found:
        for pose in poses if isinstance(poses, list) else [poses]:
            assert np.isfinite(pose.layers).all() and np.isfinite(pose.confidence).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    points=st.lists(st.tuples(STRANGE_NUMBERS, STRANGE_NUMBERS), min_size=1, max_size=5),
    visible=st.lists(st.booleans(), min_size=1, max_size=5),
    links=st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 4)), max_size=4),
    box=STRANGE_BOXES,
)
def test_strange_supports_give_finite_poses_or_an_error_that_says_why(
    model, image, points, visible, links, box
):
    try:
        support = Support(image, np.array(points), np.array(visible), links, box)
        (pose,) = Estimator(model, [support])([image])
    except InputError:
        return
    assert np.isfinite(pose.layers).all() and np.isfinite(pose.confidence).all()


def test_a_stream_with_fewer_boxes_than_images_is_refused(estimator, image):
    with pytest.raises(InputError, match='boxes: 1, and more images'):
        list(estimator.stream([image, image], [None]))


def test_whole_images_are_compared_with_whole_supports(model, support, image):
    with_box, without = (Estimator(model, [shot]) for shot in (support, replace(support, box=None)))
    (found, in_box), (expected, _) = (
        one([image] * 2, [None, support.box]) for one in (with_box, without)
    )
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    (alone,) = with_box([image], [support.box])
    np.testing.assert_allclose(in_box.keypoints, alone.keypoints, atol=1e-3)
    assert not np.allclose(in_box.keypoints, found.keypoints, atol=1e-3)


@pytest.fixture(scope='module')
def starter():
    return init_model(starter_config())


def on_a_canvas(image, corner, size=(300, 400)):
    """A picture of plain grey with the image somewhere in it."""
    canvas = np.full((*size, 3), 128, np.uint8)
    x, y = corner
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    return canvas


def test_a_second_look_is_taken_where_the_first_found_the_object(support, image):
    model = init_model(matching_config())  # nothing learned for things, not drawn like these
    corner, other = np.array([(30, 40), (220, 170)])
    shot = Support(
        on_a_canvas(image, corner), support.keypoints + corner, support.visible, SKELETON
    )
    query = on_a_canvas(image, other)
    wanted = support.keypoints + other
    errors, boxes = [], []
    for second_look in (False, True):
        (pose,) = Estimator(model, [shot], second_look=second_look)([query])
        errors.append(np.linalg.norm(pose.keypoints - wanted, axis=1).mean())
        boxes.append(pose.box)
    assert boxes[0] == (0, 0, 400, 300)
    assert max(boxes[1][2:]) < 150
    assert errors[1] < 0.8 * errors[0]


def test_a_box_that_is_given_needs_no_second_look(starter, support, image):
    poses = [
        Estimator(starter, [support], second_look=second_look)([image], [support.box])[0]
        for second_look in (False, True)
    ]
    np.testing.assert_array_equal(poses[0].keypoints, poses[1].keypoints)
    assert poses[1].box == support.box


def test_samples_are_told_in_pixels_of_the_query_and_of_each_support(estimator, starter, support):
    query = on_a_canvas(support.image, (100, 50))
    matched = Estimator(starter, [support]).look(query, (100, 50, 80, 64))
    places, weights = matched.image[..., :2], matched.image[..., 2:]
    assert (np.diff(weights[..., 0]) <= 0).all() and (weights.sum(1) < 1 + 1e-6).all()
    (pose,) = Estimator(starter, [support])([query], [(100, 50, 80, 64)])
    found = (places * weights).sum(1) / weights.sum(1)
    assert np.linalg.norm(found - pose.keypoints, axis=1).max() < 8
    (own,) = matched.supports
    np.testing.assert_allclose(own[:, 0, :2], support.keypoints, atol=1e-3)
    mined = estimator.look(query)
    assert mined.image.shape == mined.supports[0].shape == (4, 48, 3)
    assert (mined.image[..., 2] > 0).all() and (mined.supports[0][..., 2] > 0).all()
