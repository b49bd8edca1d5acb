"""The fly's and the locust's frames, out of HDF5 files that the tests make."""

import re
import sys

import cv2
import numpy as np
import pytest
from fmmp.datasets.mp100.local_copies import LocalCopy
from fmmp.datasets.mp100.prepare import format_report, prepare

h5py = pytest.importorskip('h5py')
FRAMES = np.arange(5, dtype=np.uint8)[:, None, None, None] * 50 + np.zeros((5, 20, 20, 1), np.uint8)


@pytest.fixture
def fly(tmp_path):
    """A copy of the fly's data set with 5 frames of one grey each, 50 apart."""
    folder = tmp_path / 'sources/fly'
    folder.mkdir(parents=True)
    with h5py.File(folder / 'annotation_data_release.h5', 'w') as file:
        file['images'] = FRAMES
        file['annotations'] = np.zeros((5, 32, 2))
    return {'Vinegar Fly': LocalCopy(folder)}


def row_of(report, name='fly_body'):
    return next(row for row in report['categories'] if row['name'] == name)


def test_annotated_frames_are_taken_out_by_their_numbers(fly, annotate, tmp_path):
    file = annotate('fly_body/0.jpg', 'fly_body/3.jpg')
    report = prepare(fly, tmp_path / 'out', file)
    images = {
        path.name: cv2.imread(str(path)) for path in (tmp_path / 'out/images/fly_body').iterdir()
    }
    assert {name: image.shape for name, image in images.items()} == {
        '0.jpg': (20, 20, 3),
        '3.jpg': (20, 20, 3),
    }
    assert np.abs(images['3.jpg'].astype(int) - 150).max() <= 1
    assert row_of(report)['done'] == {'set': 2, 'kept': 0, 'in_the_way': 0}
    text = format_report(report)
    assert 'fly_body: 2 images out of' in text and '2 of 2 annotated' in text


def test_a_second_time_keeps_the_frames_and_adds_what_lacks(fly, annotate, tmp_path):
    file = annotate('fly_body/0.jpg', 'fly_body/3.jpg')
    prepare(fly, tmp_path / 'out', file)
    (tmp_path / 'out/images/fly_body/0.jpg').unlink()
    report = prepare(fly, tmp_path / 'out', file)
    assert row_of(report)['done'] == {'set': 1, 'kept': 1, 'in_the_way': 0}


def test_without_annotations_all_frames_are_taken_out(fly, tmp_path):
    fly['Vinegar Fly'] = LocalCopy(fly['Vinegar Fly'].images / 'annotation_data_release.h5')
    prepare(fly, tmp_path / 'out')
    names = {path.name for path in (tmp_path / 'out/images/fly_body').iterdir()}
    assert names == {f'{i}.jpg' for i in range(5)}


def test_a_dry_run_takes_nothing_out(fly, annotate, tmp_path):
    report = prepare(fly, tmp_path / 'out', annotate('fly_body/0.jpg'), dry_run=True)
    assert row_of(report)['images'] == 1 and not (tmp_path / 'out').exists()


def test_frames_that_are_images_already_are_linked(annotate, tmp_path):
    (tmp_path / 'frames').mkdir()
    (tmp_path / 'frames/0.jpg').write_text('')
    copies = {'Vinegar Fly': LocalCopy(tmp_path / 'frames')}
    report = prepare(copies, tmp_path / 'out', annotate('fly_body/0.jpg'))
    assert row_of(report)['folder'] == str(tmp_path / 'frames')


@pytest.mark.parametrize('name', ['5.jpg', '01.jpg', '1.png', '-1.jpg', 'fly.jpg'])
def test_a_name_that_is_no_frames_is_missing(fly, annotate, tmp_path, name):
    report = prepare(fly, tmp_path / 'out', annotate(f'fly_body/{name}'), dry_run=True)
    assert 'no such frame, but 0 to 4' in row_of(report)['missing'][name]


def test_frames_of_another_size_than_annotated_are_not_taken(fly, annotate, tmp_path):
    file = annotate('fly_body/0.jpg')
    file.write_text(file.read_text().replace('"width": 20', '"width": 192'))
    report = prepare(fly, tmp_path / 'out', file)
    assert '20 x 20, annotated as 192 x 20' in row_of(report)['missing']['0.jpg']
    assert not (tmp_path / 'out/images').exists()


def test_without_h5py_the_report_says_to_install_it_and_the_rest_is_built(
    fly, local, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'h5py', None)
    report = prepare(fly | local('COCO', 'a.jpg'), tmp_path / 'out')
    assert 'pip install h5py' in row_of(report)['notes'][0]
    assert (tmp_path / 'out/images/human_body/a.jpg').exists()


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (None, 'no frames that can be read'),
        ({'frames': FRAMES}, 'no frames that can be read: .*images'),
        ({'images': FRAMES.astype(float)}, r'float64 of shape \(5, 20, 20, 1\)'),
        ({'images': FRAMES.repeat(3, -1)}, r'uint8 of shape \(5, 20, 20, 3\): .* is expected'),
    ],
)
def test_a_file_without_grey_frames_is_named(fly, tmp_path, content, said):
    file = fly['Vinegar Fly'].images / 'annotation_data_release.h5'
    if content is None:
        file.write_bytes(b'no HDF5')
    else:
        with h5py.File(file, 'w') as stream:
            for name, value in content.items():
                stream[name] = value
    [note] = row_of(prepare(fly, tmp_path / 'out'))['notes']
    assert str(file) in note
    assert re.search(said, note)


def test_a_folder_without_frames_says_what_belongs_there(tmp_path):
    (tmp_path / 'empty').mkdir()
    report = prepare({'Desert Locust': LocalCopy(tmp_path / 'empty')}, tmp_path / 'out')
    assert 'nor annotation_data_release.h5' in row_of(report, 'locust_body')['notes'][0]
