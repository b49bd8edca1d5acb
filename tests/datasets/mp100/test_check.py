import json
import os

import cv2
import numpy as np
import pytest
from fmmp.datasets.mp100.check import all_run, check, format_report
from PIL import Image


def examine(root, **options):
    return check(root / 'unified.json', root / 'images', **{'num_queries': 3, **options})


@pytest.fixture
def edit(small_dataset, clean):
    """Plant a defect in the unified file."""

    def apply(change):
        change(clean)
        (small_dataset / 'unified.json').write_text(json.dumps(clean))
        return small_dataset

    return apply


def row_of(report, name):
    return next(row for row in report['categories'] if row['name'] == name)


def test_a_sound_data_set_can_run(small_dataset, clean):
    report, usable = examine(small_dataset)
    assert all_run(report)
    assert usable == clean
    assert 'all: can run' in format_report(report)
    assert row_of(report, 'category_1') == {
        'id': 1,
        'name': 'category_1',
        'original_name': 'category_1',
        'source': None,
        'keypoints': 4,
        'links': 3,
        'annotations': 4,
        'usable': 4,
        'images': {'all': 4, 'good': 4},
        'problems': [],
        'notes': [],
    }


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def enlarge(path):
    cv2.imwrite(str(path), np.zeros((64, 81, 3), np.uint8))


def turn(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)


def replace_by_link_to_nothing(path):
    path.unlink()
    path.symlink_to('nowhere.jpg')


@pytest.mark.parametrize(
    ('damage', 'problem', 'details'),
    [
        (os.unlink, 'missing', ''),
        (replace_by_link_to_nothing, 'missing', 'its link leads nowhere'),
        (truncate, 'unreadable', 'truncated'),
        (lambda path: path.write_bytes(b''), 'unreadable', 'cannot identify'),
        (lambda path: path.write_text('<html>'), 'unreadable', 'cannot identify'),
        (enlarge, 'wrong size', '81 x 64, annotated as 80 x 64'),
        (turn, 'wrong size', '64 x 80, annotated as 80 x 64, turned by its EXIF orientation'),
    ],
)
def test_a_broken_image_is_found_and_named(small_dataset, damage, problem, details):
    damage(small_dataset / 'images/category_1/0.jpg')
    report, usable = examine(small_dataset)
    [broken] = report['broken_images']
    assert (broken['file_name'], broken['problem']) == ('category_1/0.jpg', problem)
    assert details in broken['details']
    assert 'category_1/0.jpg' in format_report(report)
    assert not all_run(report)
    assert len(usable['images']) == len(usable['annotations']) == 15
    assert not all_run(report, on_usable=True)  # 3 instances, 4 needed
    assert all_run(examine(small_dataset, num_queries=2)[0], on_usable=True)


@pytest.mark.parametrize('path', ['../small/images/category_1/0.jpg', '/etc/passwd', 'a\\..\\b'])
def test_a_path_that_leaves_the_image_folder_is_refused(edit, path):
    root = edit(lambda content: content['images'][0].update(file_name=path))
    report, usable = examine(root)
    assert [x['problem'] for x in report['broken_images']] == ['refused']
    assert path not in {image['file_name'] for image in usable['images']}


def test_linked_folders_and_images_are_followed(small_dataset, tmp_path):
    folder = small_dataset / 'images/category_1'
    folder.rename(tmp_path / 'elsewhere')
    folder.symlink_to(tmp_path / 'elsewhere')
    image = small_dataset / 'images/category_2/0.jpg'
    image.rename(tmp_path / 'image.jpg')
    image.symlink_to(tmp_path / 'image.jpg')
    assert all_run(examine(small_dataset)[0])


def change_annotation(**values):
    return lambda content: content['annotations'][0].update(values)


def change_category(**values):
    return lambda content: content['categories'][0].update(values)


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (change_annotation(keypoints=[1, 1, 2]), 'keypoints are not 4 times x, y, v'),
        (change_annotation(keypoints=[float('nan')] * 12), 'keypoints are not 4 times'),
        (change_annotation(keypoints=['a'] * 12), 'no numbers'),
        (change_annotation(bbox=[1, 1]), 'box is not x, y, width, height'),
        (change_annotation(bbox=None), 'box is not x, y, width, height'),
        (change_annotation(bbox=[1, 1, '9', 9]), 'box is not x, y, width, height'),
        (change_annotation(bbox=[1, 1, float('inf'), 9]), 'box is not finite'),
        (change_annotation(area='9'), 'area is no number'),
        (change_category(skeleton=[]), 'the skeleton is empty'),
        (change_category(skeleton=[[0, 1], [1, 4]]), 'the link [1, 4] leads to a keypoint'),
        (change_category(skeleton=[[0, 1, 2]]), 'the link [0, 1, 2] is no pair'),
        (change_category(skeleton='chain'), 'the skeleton is no list'),
        (change_category(skeleton=3), 'the skeleton is no list'),
    ],
)
def test_an_annotation_or_skeleton_that_cannot_be_read_stops_a_split(edit, change, problem):
    report, _ = examine(edit(change))
    assert problem in ' '.join(row_of(report, 'category_1')['problems'])
    assert problem in format_report(report)
    assert not all_run(report)


@pytest.mark.parametrize(
    ('change', 'note'),
    [
        (change_annotation(iscrowd=1), '1 annotations of crowds'),
        (change_annotation(bbox=[9, 9, -3, -3]), '1 annotations without a box, or with one of neg'),
        (change_annotation(keypoints=[1, 1, 2, 2, 2, 3, 3, 3, 1, 4, 4, -1]), 'above 0 a keypoint'),
        (change_annotation(keypoints=[1, 1, 2] + [0] * 9), '1 instances with fewer than 3'),
        (change_annotation(keypoints=[0] * 12), '1 annotations without a labelled keypoint'),
        (change_annotation(bbox=[100, 0, 9, 9]), '1 annotations without a box in the image'),
        (change_annotation(bbox=[-5, 0, 60, 60]), '1 boxes partly outside the image'),
        (change_annotation(keypoints=[99, 1, 2] * 4), 'keypoints outside the image'),
        (change_category(skeleton=[[0, 1], [1, 0], [1, 2], [2, 3]]), '[1, 0] is there before'),
        (change_category(skeleton=[[0, 1], [1, 2], [2, 3], [3, 3]]), '[3, 3] links a keypoint to'),
    ],
)
def test_what_is_odd_and_harmless_is_noted(edit, change, note):
    report, _ = examine(edit(change), num_queries=2)
    assert note in ' '.join(row_of(report, 'category_1')['notes'])
    assert all_run(report)


def test_more_keypoints_than_the_configs_have_stop_a_split(edit):
    def change(content):
        for annotation in content['annotations'][:4]:
            annotation.update(keypoints=[1, 1, 2] * 71)

    report, _ = examine(edit(change))
    assert '71 keypoints are more than the 70' in row_of(report, 'category_1')['problems'][0]


def test_the_splits_are_those_of_mp100_where_the_categories_are(mp100_unified):
    images = mp100_unified.parents[1] / 'images'
    report, _ = check(mp100_unified, images, num_queries=3)
    test = report['splits']['split1']['subsets']['test']
    assert list(report['splits']) == [f'split{n}' for n in range(1, 6)]
    assert (test['categories'], test['needed'], len(test['too_few'])) == (20, 4, 18)
    assert test['too_few']['id 10, not in the file'] == 0

    for number in range(4):
        (images / f'bed/{number}.jpg').unlink()
    text = format_report(check(mp100_unified, images, num_queries=3)[0])
    assert 'from Keypoint-5: bed' in text and 'unreachable since 2023' in text


def test_the_usable_file_keeps_categories_without_instances(edit):
    root = edit(change_category(skeleton=[]))
    _, usable = examine(root)
    assert [category['id'] for category in usable['categories']] == [1, 2, 3, 4]
    assert {x['category_id'] for x in usable['annotations']} == {2, 3, 4}


def test_progress_counts_the_images(small_dataset):
    seen = []
    examine(small_dataset, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 16) for n in range(1, 17)]


def test_what_cannot_be_checked_at_all_is_an_error(small_dataset):
    with pytest.raises(FileNotFoundError, match='no such image folder'):
        check(small_dataset / 'unified.json', small_dataset / 'pictures')
    with pytest.raises(ValueError, match='0 shots'):
        examine(small_dataset, num_shots=0)
    (small_dataset / 'unified.json').write_text('{"images"')
    with pytest.raises(ValueError, match=r'unified\.json.*not JSON'):
        examine(small_dataset)
