"""Whatever is in a file, it is read or refused by name."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmmp.errors import InputError
from fmmp.formats import read, write

from .beetles import beetles, save_images
from .test_round_trips import FILES

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.sampled_from(['', '\ud800', '../x.png', 'head', 'beetle', '\0']),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=2), some, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A sound file of each format that is text."""
    folder = tmp_path_factory.mktemp('sound')
    labels = beetles()
    images = save_images(labels, folder / 'images')
    for format in ('coco', 'coco_results', 'label_studio', 'labelme', 'cvat', 'deeplabcut'):
        write(labels, folder / FILES[format], format)
    write(labels, folder / FILES['ultralytics'], 'ultralytics', images=images)
    return folder


def read_or_refuse(path, **options):
    try:
        labels = read(path, **options)
    except InputError as error:
        assert str(Path(path).name) in str(error) or 'annotations' in options
    else:
        labels.check(path)


@pytest.mark.parametrize('format', ['coco', 'coco_results', 'label_studio', 'labelme'])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_json_with_anything_in_a_few_places(format, folder, data):
    file = {'labelme': 'labelme/b.json'}.get(format, FILES[format])
    content = json.loads((folder / file).read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        here = content
        while True:
            key = data.draw(
                st.sampled_from(list(here) if isinstance(here, dict) else range(len(here)))
            )
            if not isinstance(here[key], (dict, list)) or not here[key] or data.draw(st.booleans()):
                here[key] = data.draw(values)
                break
            here = here[key]
    path = folder / 'damaged.json'
    path.write_text(json.dumps(content))
    options = {'annotations': folder / FILES['coco']} if format == 'coco_results' else {}
    read_or_refuse(path, format=format, **options)


@pytest.mark.parametrize(
    'file', ['annotations.xml', 'beetle/CollectedData_me.csv', 'ultralytics/data.yaml']
)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_text_with_anything_in_a_few_places(file, folder, data):
    text = (folder / file).read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 20))
        text = text[:start] + data.draw(st.text('0 -.,:"<>&ea\n[]{}é\0', max_size=4)) + text[end:]
    path = (folder / file).with_stem('damaged')
    path.write_text(text, encoding='utf-8')
    read_or_refuse(path)
