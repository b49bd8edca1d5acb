"""Many images and films: what is cut short goes on, and what fails is named."""

import json
from copy import deepcopy
from dataclasses import replace
from shutil import copyfile

import cv2
import numpy as np
import pytest

from fmmp.apis import Estimator, init_model, read_support
from fmmp.apis.films import estimate_film, read_film, read_frames
from fmmp.apis.many_images import (
    describe_estimation,
    estimate_many,
    list_images,
    prepare_folder,
)
from fmmp.apis.result_lines import ResultLines
from fmmp.apis.starter import starter_config
from fmmp.apis.tracking import OneEuroFilter, Tracker
from fmmp.errors import InputError
from tests.tiny import tiny_config

DESCRIBED = {'supports': 'a', 'config': 'tiny', 'checkpoint': None}


@pytest.fixture(scope='module')
def folder(make_dataset, tmp_path_factory):
    """A folder of ten images, one of them broken, beside an annotated one."""
    root = tmp_path_factory.mktemp('many')
    make_dataset(root / 'data')
    content = json.loads((root / 'data/unified.json').read_text())
    annotation = {**content['annotations'][0], 'skeleton': content['categories'][0]['skeleton']}
    (root / 'support.json').write_text(json.dumps(annotation))
    for number, image in enumerate(content['images'][:10]):
        name = 'support.jpg' if number == 0 else f'images/{number % 2}/{number}.jpg'
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / 'data/images' / image['file_name']).rename(root / name)
    (root / 'images/0/broken.jpg').write_bytes(b'no image')
    return root


@pytest.fixture(scope='module')
def estimator(folder):
    support = read_support(folder / 'support.jpg', folder / 'support.json')
    return Estimator(init_model(tiny_config(folder / 'data')), [support], batch_size=2)


def content(folder):
    return (folder / 'poses.jsonl').read_text().splitlines(keepends=True)


def test_every_image_has_a_line_and_one_that_fails_is_named(folder, estimator, tmp_path):
    jobs = list_images(folder / 'images')
    poses, failed = estimate_many(estimator, jobs, tmp_path, DESCRIBED)
    assert (poses, len(failed)) == (9, 1)
    assert failed[0].startswith(f'{folder}/images/0/broken.jpg: not a readable image')
    lines = {line['image']: line for line in map(json.loads, content(tmp_path))}
    assert set(lines) == {path for path, _ in jobs}
    path = jobs[0][0]
    (pose,) = estimator([path])
    assert lines[path]['keypoints'] == pytest.approx(pose.keypoints, abs=0.01)
    assert lines[path]['box'] == [*pose.box]


class KilledAfter:
    """An estimator whose process is killed while a batch is on its way."""

    def __init__(self, estimator, batches):
        self.estimator, self.left, self.batch_size = estimator, batches, estimator.batch_size

    def __call__(self, images, boxes):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return self.estimator(images, boxes)


def test_a_kill_loses_nothing_and_nothing_is_done_twice(folder, estimator, tmp_path):
    jobs = list_images(folder / 'images')
    estimate_many(estimator, jobs, tmp_path / 'whole', DESCRIBED)
    cut = tmp_path / 'cut'
    with pytest.raises(KeyboardInterrupt):
        estimate_many(KilledAfter(estimator, 2), jobs, cut, DESCRIBED)
    with (cut / 'poses.jsonl').open('a') as file:
        file.write('{"image":"half a li')  # as a kill may leave it
    before = content(cut)[:-1]
    calls = KilledAfter(estimator, 100)
    poses, failed = estimate_many(calls, jobs, cut, DESCRIBED)
    assert (poses, len(failed)) == (9, 1)
    assert content(cut)[: len(before)] == before
    assert sorted(content(cut)) == sorted(content(tmp_path / 'whole'))
    assert 100 - calls.left <= 3  # batches of two: four images had been done of nine
    (folder / 'images/0/broken.jpg').write_bytes((folder / 'support.jpg').read_bytes())
    assert estimate_many(estimator, jobs, cut, DESCRIBED) == (10, [])  # it is tried again
    (folder / 'images/0/broken.jpg').write_bytes(b'no image')


def test_a_box_outside_its_image_fails_alone(folder, estimator, tmp_path):
    listed = tmp_path / 'list.jsonl'
    names = [str(folder / 'images/1/1.jpg'), str(folder / 'images/1/3.jpg')]
    boxes = [[900, 900, 5, 5], [5, 5, 40, 40]]
    lines = [json.dumps({'image': n, 'box': b}) for n, b in zip(names, boxes, strict=True)]
    listed.write_text('\n'.join(lines) + '\n')
    jobs = list_images(listed)
    assert jobs[1] == (names[1], (5, 5, 40, 40))
    poses, (failure,) = estimate_many(estimator, jobs, tmp_path / 'out', DESCRIBED)
    assert poses == 1 and failure.startswith(f'{names[0]}: ')


def test_poses_of_another_support_are_not_mixed_in(folder, estimator, tmp_path):
    jobs = list_images(folder / 'images')[:1]
    estimate_many(estimator, jobs, tmp_path, DESCRIBED)
    with pytest.raises(InputError, match=r'another estimation \(supports differ\)'):
        estimate_many(estimator, jobs, tmp_path, {**DESCRIBED, 'supports': 'b'})


def test_pictures_do_not_go_on_in_the_folder_of_a_film_nor_in_a_damaged_one(
    folder, estimator, tmp_path
):
    jobs = list_images(folder / 'images')[:1]
    prepare_folder(tmp_path, {**DESCRIBED, 'film': 'a.mp4'})
    with pytest.raises(InputError, match=r'another estimation \(film differ\)'):
        estimate_many(estimator, jobs, tmp_path, DESCRIBED)
    (tmp_path / 'estimation.json').write_text('{"supports"')
    with pytest.raises(InputError, match=r'estimation\.json: not readable'):
        estimate_many(estimator, jobs, tmp_path, DESCRIBED)


def test_what_holds_no_images_is_refused(tmp_path):
    with pytest.raises(InputError, match='holds no images'):
        list_images(tmp_path)
    (tmp_path / 'x.jsonl').write_text('{"picture": 1}')
    with pytest.raises(InputError, match=r'x\.jsonl, line 1: give an object'):
        list_images(tmp_path / 'x.jsonl')
    with pytest.raises(FileNotFoundError):
        list_images(tmp_path / 'nowhere')


def test_lines_cut_short_are_no_lines_and_are_dropped_by_repair(tmp_path):
    lines = ResultLines(tmp_path / 'x.jsonl')
    lines.append({'a': 1})
    with lines.path.open('a') as file:
        file.write('{"a":2')
    lines.append({'a': 3})  # of a process that goes on, on the broken line
    lines.append({'a': 4})
    assert [line['a'] for line in lines] == [1, 4]
    lines.repair()
    assert lines.path.read_text() == '{"a":1}\n{"a":4}\n'


@pytest.fixture(scope='module')
def film(folder):
    """Eight frames in which a picture moves to the right."""
    path = folder / 'film.avi'
    picture = cv2.resize(cv2.imread(str(folder / 'support.jpg')), (80, 64))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (160, 96))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no films')
    for number in range(8):
        frame = np.zeros((96, 160, 3), np.uint8)
        frame[16:80, 4 * number : 80 + 4 * number] = picture
        writer.write(frame)
    writer.release()
    return path


@pytest.mark.parametrize('track', [False, True])
def test_a_film_cut_short_goes_on_and_is_drawn_whole(folder, film, estimator, tmp_path, track):
    support = read_support(folder / 'support.jpg', folder / 'support.json')
    further = [support], (0, 16, 80, 64), track
    count, drawn = estimate_film(estimator, film, tmp_path / 'whole', DESCRIBED, *further)
    assert count == 8 == len(content(tmp_path / 'whole'))
    assert len([*read_frames(read_film(drawn))]) == 8
    with pytest.raises(KeyboardInterrupt):
        killed = KilledAfter(estimator, 2)
        estimate_film(killed, film, tmp_path / 'cut', DESCRIBED, *further)
    assert [path.suffix for path in sorted((tmp_path / 'cut').iterdir())] == ['.json', '.jsonl']
    before = content(tmp_path / 'cut')
    assert len(before) == (2 if track else 4)
    estimate_film(estimator, film, tmp_path / 'cut', DESCRIBED, *further)
    assert content(tmp_path / 'cut')[: len(before)] == before
    frames = [json.loads(line)['frame'] for line in content(tmp_path / 'cut')]
    assert frames == [*range(8)]


def test_a_still_points_tremble_is_smoothed_and_a_fast_one_does_not_lag():
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.01, (100, 1, 2))
    still, fast = OneEuroFilter(rate=30), OneEuroFilter(rate=30)
    smooth = np.array([still(point) for point in noise])
    assert smooth[20:].std() < 0.5 * noise[20:].std()
    way = np.linspace(0, 30, 100)[:, None, None] + noise
    found = np.array([fast(point) for point in way])
    assert np.abs(found - way)[20:].max() < 0.1  # where a step is 0.3


def test_the_box_follows_the_keypoints_with_the_supports_margins_and_starts_anew_when_lost(folder):
    support = read_support(folder / 'support.jpg', folder / 'support.json')
    tracker = Tracker([support], rate=10, first_box=support.box)
    own = support.keypoints
    tracker(own, size=(1000, 1000))
    assert tracker.box == pytest.approx(support.box)
    tracker = Tracker([support], rate=10, first_box=None)
    tracker(own + 100, size=(1000, 1000))
    x, y, w, h = support.box
    assert tracker.box == pytest.approx((x + 100, y + 100, w, h))
    tracker(own - 5000, size=(1000, 1000))
    assert tracker.box is None


def test_keypoints_that_no_support_shows_do_not_move_the_box(folder):
    support = read_support(folder / 'support.jpg', folder / 'support.json')
    visible = support.visible.copy()
    visible[0] = False
    partial = replace(support, visible=visible)
    boxes = []
    for place in (0, 900):  # of what is found for the keypoint that is not shown
        tracker = Tracker([partial], rate=10, first_box=None)
        keypoints = support.keypoints + 100
        keypoints[0] = place
        tracker(keypoints, size=(1000, 1000))
        boxes.append(tracker.box)
    assert boxes[0] == boxes[1]


def test_poses_depend_on_settings_and_on_the_files_that_they_name(folder, tmp_path):
    support = read_support(folder / 'support.jpg', folder / 'support.json')
    config = starter_config(tiny_config(folder / 'data'))
    weights = tmp_path / 'a.safetensors'
    copyfile(config.model.projection, weights)

    def told(**settings):
        changed = deepcopy(config)
        changed.model.update(settings)
        return describe_estimation([support], changed, None)

    before = told()
    assert told(projection=str(weights)) == before  # another place of the same
    assert told(temperature=20.0) != before
    assert told(pretrained='torchvision://resnet50') != before
    weights.write_bytes(weights.read_bytes() + b'1')
    assert told(projection=str(weights)) != before


def test_a_list_may_begin_with_a_mark_of_byte_order(tmp_path):
    (tmp_path / 'list.txt').write_text('a.png\n', encoding='utf-8-sig')
    assert list_images(tmp_path / 'list.txt') == [(str(tmp_path / 'a.png'), None)]


def test_an_image_is_gone_on_with_in_the_boxes_that_it_has_left(folder, estimator, tmp_path):
    image = str(folder / 'images/1/1.jpg')
    jobs = [(image, (0, 0, 40, 40)), (image, (5, 5, 40, 40))]
    assert estimate_many(estimator, jobs[:1], tmp_path, DESCRIBED) == (1, [])
    assert estimate_many(estimator, jobs, tmp_path, DESCRIBED) == (2, [])
    assert estimate_many(estimator, jobs, tmp_path, DESCRIBED) == (2, [])


def test_an_image_that_is_no_path_is_named_by_its_line(tmp_path):
    (tmp_path / 'list.jsonl').write_text('{"image": 5}\n')
    with pytest.raises(InputError, match='line 1: give an object'):
        list_images(tmp_path / 'list.jsonl')


def test_a_film_in_the_folder_of_the_results_is_not_drawn_over(folder, film, estimator, tmp_path):
    own = tmp_path / 'film.mp4'
    own.write_bytes(film.read_bytes())
    support = read_support(folder / 'support.jpg', folder / 'support.json')
    _, drawn = estimate_film(estimator, own, tmp_path, DESCRIBED, [support])
    assert own.read_bytes() == film.read_bytes() and drawn.name == 'film_poses.mp4'
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'film.mp4').write_bytes(b'something else')
    with pytest.raises(InputError, match='film.mp4 is there already'):
        estimate_film(estimator, film, other, DESCRIBED, [support])
    assert (other / 'film.mp4').read_bytes() == b'something else'
