import json
import string
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmmp.errors import InputError
from fmmp.formats import FORMATS, Labelled, Labels, read, recognise, write

from .beetles import NAMES, POINTS, SIZE, beetles, save_images

FILES = {
    'coco': 'coco.json',
    'coco_results': 'results.json',
    'ultralytics': 'ultralytics',
    'labelme': 'labelme',
    'cvat': 'annotations.xml',
    'label_studio': 'tasks.json',
    'deeplabcut': 'beetle/CollectedData_me.csv',
    'sleap': 'labels.slp',
    'nwb': 'labels.nwb',
}
NEEDS = {'sleap': 'sleap_io', 'nwb': 'ndx_pose'}
KEEPS = {
    'size': set(FORMATS),  # of DeepLabCut from the images
    'hidden': {'coco', 'ultralytics', 'labelme', 'cvat', 'label_studio', 'sleap', 'nwb'},
    'links': set(FORMATS) - {'deeplabcut'},
    'box': {'coco', 'coco_results', 'ultralytics', 'labelme', 'cvat', 'label_studio'},
    'confidence': {'coco', 'coco_results', 'labelme', 'label_studio', 'deeplabcut', 'sleap'},
}
WHOLE = 0, 0, SIZE[1], SIZE[0]


@pytest.fixture(params=FORMATS)
def format(request):
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return request.param


def there_and_back(labels, format, folder):
    """Write a file, have it recognised, and read it."""
    images = save_images(labels, folder / 'images')
    path = folder / FILES[format]
    path.parent.mkdir(exist_ok=True)
    write(labels, path, format, **({'images': images} if format == 'ultralytics' else {}))
    assert recognise(path) == format
    options = {}
    if format == 'coco_results':
        write(labels, folder / 'coco.json', 'coco')
        options = {'annotations': folder / 'coco.json'}
    return read(path, **({'images': images} if format == 'deeplabcut' else options))


def test_a_format_gives_back_what_it_was_given(format, tmp_path):
    labels = beetles()
    found = there_and_back(labels, format, tmp_path)

    assert found.category == 'beetle'
    assert list(found.names) == NAMES
    links = labels.skeleton if format in KEEPS['links'] else []
    assert [tuple(link) for link in found.skeleton] == links
    # Label Studio's task of an image that a person labelled needs no prediction
    expected_items = labels.items[:2] if format == 'label_studio' else labels.items
    for item, back in zip(expected_items, found.items, strict=True):
        assert (back.image, back.size) == (item.image, SIZE)
        hidden = format in KEEPS['hidden']
        expected = item.visible if hidden else np.where(item.visible > 0, 2, 0)
        assert back.visible.tolist() == expected.tolist()
        np.testing.assert_allclose(back.keypoints, item.keypoints, atol=1e-6)


def test_a_format_that_has_boxes_gives_them_back(format, tmp_path):
    labels = beetles()
    found = there_and_back(labels, format, tmp_path)
    for item, back in zip(labels.items, found.items, strict=False):
        if item.box is None or format not in KEEPS['box']:
            assert back.box is None or np.allclose(back.box, WHOLE)
        else:
            np.testing.assert_allclose(back.box, item.box, atol=1e-6)


def test_a_format_that_has_confidences_gives_them_back(format, tmp_path):
    labels = beetles()
    labels.items = labels.items[2:]
    (back,) = there_and_back(labels, format, tmp_path).items
    if format in KEEPS['confidence']:
        np.testing.assert_allclose(back.confidence, [0.9, 0, 0.5, 0.25])
    else:
        assert back.confidence is None


def test_names_of_all_scripts_pass_through(format, tmp_path):
    names = ['ухо', '目', 'a "b" <c> & d', "l'œil, gauche"]
    labels = Labels('čmrlj 🐝', names, [(0, 3)])
    labels.items = [Labelled('Ordner ä/蜂 #1 100%.png', SIZE, POINTS, [True] * 4)]
    found = there_and_back(labels, format, tmp_path)
    assert list(found.names) == names
    assert found.items[0].image == labels.items[0].image
    np.testing.assert_allclose(found.items[0].keypoints, POINTS, atol=1e-6)


def test_a_thousand_keypoints_pass_through(format, tmp_path):
    points = np.random.default_rng(0).uniform(0, 100, (1000, 2))
    names = [f'p{number}' for number in range(1000)]
    labels = Labels('sea urchin', names, [(998, 999)])
    labels.items = [Labelled('x.png', SIZE, points, [True] * 1000)]
    found = there_and_back(labels, format, tmp_path)
    if format != 'deeplabcut':
        assert [tuple(link) for link in found.skeleton] == [(998, 999)]
    np.testing.assert_allclose(found.items[0].keypoints, points, atol=1e-5)


@pytest.mark.parametrize('format', ['ultralytics', 'labelme'])
@pytest.mark.parametrize(
    'name', ['../x.png', '/x.png', 'a/../../x.png', 'C:\\x.png', 'x\0.png', '']
)
def test_an_image_outside_of_its_folder_gets_no_file(format, name, tmp_path):
    labels = Labels('beetle', NAMES, [], [Labelled(name, SIZE, POINTS, [True] * 4)])
    with pytest.raises(InputError, match='outside'):
        write(labels, tmp_path / 'in' / 'out', format)
    assert not list(tmp_path.rglob('*.*'))


@pytest.mark.parametrize('format', ['ultralytics', 'labelme'])
def test_two_images_that_would_share_a_file_are_named(format, tmp_path):
    labels = beetles()
    labels.items.append(Labelled('a/one.jpg', SIZE, POINTS, [True] * 4))
    with pytest.raises(InputError, match=r'a/one\.jpg and a/one\.png'):
        write(labels, tmp_path, format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('format', ['coco', 'ultralytics', 'labelme', 'cvat', 'label_studio'])
def test_a_size_that_is_not_known_is_asked_for(format, tmp_path):
    labels = Labels('beetle', NAMES, [], [Labelled('x.png', None, POINTS, [True] * 4)])
    with pytest.raises(InputError, match=r'size of x\.png.*images'):
        write(labels, tmp_path / 'out', format)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file(format, tmp_path, monkeypatch):
    path = tmp_path / FILES[format]
    path.parent.mkdir(exist_ok=True)
    write(beetles(), path, format)
    before = {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()}
    monkeypatch.setattr('os.replace', lambda *_: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        write(beetles(), path, format)
    after = {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()}
    assert after == before


def test_an_ultralytics_box_and_keypoint_out_of_the_image_are_cut_and_dropped(tmp_path):
    labels = Labels('beetle', NAMES)
    labels.items = [Labelled('x.png', SIZE, POINTS - (60, 0), [True] * 4, (-10, -20, 100, 90))]
    found = there_and_back(labels, 'ultralytics', tmp_path).items[0]
    assert found.visible.tolist() == [0, 2, 0, 0]
    np.testing.assert_allclose(found.box, (0, 0, 90, 70), atol=1e-6)
    numbers = (tmp_path / 'ultralytics/labels/train/x.txt').read_text().split()
    assert all(0 <= float(number) <= 2 for number in numbers)


def test_coco_results_take_the_ids_of_an_annotation_file(tmp_path):
    labels = beetles()
    write(labels, tmp_path / 'coco.json', 'coco')
    content = json.loads((tmp_path / 'coco.json').read_text())
    content['images'][1]['id'] = content['annotations'][1]['image_id'] = 77
    content['annotations'][2]['image_id'] = 77
    content['categories'][0]['id'] = 5
    for annotation in content['annotations']:
        annotation['category_id'] = 5
    (tmp_path / 'coco.json').write_text(json.dumps(content))

    write(labels, tmp_path / 'r.json', 'coco_results', annotations=tmp_path / 'coco.json')
    results = json.loads((tmp_path / 'r.json').read_text())
    assert [(one['image_id'], one['category_id']) for one in results] == [(1, 5), (77, 5), (77, 5)]
    assert results[2]['score'] == pytest.approx(0.55)
    labels.items[0].image = 'c.jpg'
    with pytest.raises(InputError, match=r'no c\.jpg'):
        write(labels, tmp_path / 'r.json', 'coco_results', annotations=tmp_path / 'coco.json')


numbers = st.floats(-1e6, 1e6)
text = st.text(string.printable + 'éß漢\u202e', min_size=1, max_size=9).filter(str.strip)


@st.composite
def any_labels(draw):
    names = draw(st.lists(text, min_size=1, max_size=4, unique=True))
    count = len(names)
    links = st.tuples(*[st.integers(0, count - 1)] * 2)
    images = {name: SIZE for name in draw(st.lists(text, min_size=1, max_size=3, unique=True))}
    items = [
        Labelled(
            name,
            size,
            draw(st.lists(st.tuples(numbers, numbers), min_size=count, max_size=count)),
            [2, *draw(st.lists(st.integers(0, 2), min_size=count - 1, max_size=count - 1))],
            draw(st.none() | st.tuples(*[numbers] * 4)),
        )
        for name, size in images.items()
    ]
    return Labels(draw(text), names, draw(st.lists(links, max_size=3)), items)


@pytest.mark.parametrize('format', ['coco', 'cvat', 'label_studio', 'labelme', 'ultralytics'])
@given(labels=any_labels())
@settings(max_examples=25, deadline=None)
def test_any_labels_come_back_or_are_refused(format, labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp('any')
    path = folder / FILES[format]
    try:
        write(labels, path, format)
    except InputError:
        return
    if format == 'ultralytics':
        return  # wants images, whose names file systems may not hold
    found = read(path, format)
    assert list(found.names) == list(labels.names)
    if format == 'labelme':  # in the order of its files
        labels.items.sort(key=lambda item: item.image)
        found.items.sort(key=lambda item: item.image)
    for item, back in zip(labels.items, found.items, strict=True):
        if format in ('coco', 'cvat'):
            assert back.image == item.image
        assert back.visible.tolist() == item.visible.tolist()
        np.testing.assert_allclose(back.keypoints, item.keypoints, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize('format', NEEDS)
def test_a_package_that_is_missing_is_named(format, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, NEEDS[format], None)
    with pytest.raises(InputError, match='pip install'):
        write(beetles(), tmp_path / FILES[format], format)
    assert not list(tmp_path.iterdir())
