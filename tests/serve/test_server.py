import base64
import io
import json
import runpy
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fmmp.apis import Support
from fmmp.errors import InputError
from fmmp.formats import Labelled, Labels, write
from fmmp.serve import images, server
from fmmp.serve.category import Category, given_category

from .pictures import NAMES, NEAR, POINTS, SIZE, SKELETON, data_uri, pixels, png, write_support
from .test_label_studio import CONFIG, annotated, asked

PATHS = ['/setup', '/predict', '/webhook', '/v1/predict']


def bomb(width, height):
    """A small PNG file that says it is large."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', checksum)

    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(bytes(1 << 20))
    parts = chunk(b'IHDR', head) + chunk(b'IDAT', content) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + parts


@pytest.mark.parametrize('size', [(50_000, 50_000), (9_500, 9_500), (2**31 - 1, 2**31 - 1)])
def test_a_decoding_bomb_is_refused(serve, beetle, size):
    content = base64.b64encode(bomb(*size)).decode()
    answer = serve(beetle).post('/v1/predict', json={'model': 'beetle', 'image': content})
    assert answer.status_code in (400, 413)
    assert answer.json()['error']['code'] == 'INVALID_IMAGE'


def test_a_picture_cut_short_is_refused(serve, beetle):
    content = base64.b64encode(png()[:-200]).decode()
    answer = serve(beetle).post('/v1/predict', json={'model': 'beetle', 'image': content})
    assert answer.status_code == 400


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', '1', 'CMYK', 'I;16'])
def test_pictures_of_all_modes_are_answered(serve, beetle, mode):
    content = io.BytesIO()
    Image.new(mode, (40, 30)).save(content, 'TIFF')
    text = base64.b64encode(content.getvalue()).decode()
    answer = serve(beetle).post('/v1/predict', json={'model': 'beetle', 'image': text})
    assert answer.status_code == 200, answer.text


def test_a_request_that_is_too_large_is_refused(serve, monkeypatch):
    monkeypatch.setattr(server, 'MOST_REQUEST', 1000)
    assert serve().post('/predict', content=b'[' * 1001).status_code == 413


def test_a_file_that_is_too_large_is_refused(serve, beetle, monkeypatch, tmp_path):
    monkeypatch.setattr(images, 'MOST_BYTES', 100)
    (tmp_path / 'x.png').write_bytes(png())
    client = serve(beetle, folder=tmp_path)
    assert client.post('/predict', json=asked('/data/local-files/?d=x.png')).status_code == 413


def test_more_requests_than_can_wait_are_refused(serve, monkeypatch):
    monkeypatch.setattr(server, 'MOST_WAITING', 0)
    answer = serve().post('/predict', json={})
    assert (answer.status_code, answer.json()['error']['code']) == (503, 'QUEUE_FULL')


@pytest.mark.parametrize('host', ['example.org', '192.168.0.7', 'localhost.example.org', ''])
def test_without_a_token_other_hosts_are_refused(serve, host):
    answer = serve().get('/v1/models', headers={'host': host})
    assert answer.status_code == 403


@pytest.mark.parametrize('headers', [{'origin': 'http://localhost'}, {'sec-fetch-site': 'none '}])
def test_pages_of_browsers_are_refused(serve, headers):
    assert serve().post('/setup', json={}, headers=headers).status_code == 403


def basic(password):
    return 'Basic ' + base64.b64encode(f'anyone:{password}'.encode()).decode()


@pytest.mark.parametrize(
    'headers',
    [
        {'token': 'secret'},
        {'authorization': 'Token secret'},
        {'authorization': 'Bearer secret'},
        {'authorization': basic('secret')},
    ],
)
def test_the_token_opens_the_server_however_it_is_sent(serve, headers):
    client = serve(token='secret', host='example.org')
    assert client.get('/v1/models', headers=headers).status_code == 200


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {'token': 'secre'},
        {'token': ''},
        {'authorization': 'Basic ****'},
        {'authorization': basic('wrong')},
        {'authorization': 'secret'},
        {'token': 'sécret'.encode('latin-1')},
    ],
)
def test_without_the_token_nothing_but_the_health_is_told(serve, headers):
    client = serve(token='secret')
    answer = client.get('/v1/models', headers=headers)
    assert (answer.status_code, answer.json()['error']['code']) == (401, 'UNAUTHORIZED')
    assert client.get('/health', headers=headers).status_code == 200


@pytest.mark.parametrize(('method', 'path'), [('GET', '/predict'), ('GET', '/x'), ('PUT', '/')])
def test_what_is_not_there_is_told_in_json(serve, method, path):
    answer = serve().request(method, path)
    assert answer.status_code in (404, 405)
    assert answer.json()['success'] is False


@pytest.mark.parametrize(
    'content',
    [b'', b'{', b'[]', b'7', b'\xff', b'{"a": NaN}', b'[' * 100_000, b'9' * 10_000, b'"\\ud800"'],
)
@pytest.mark.parametrize('path', PATHS)
def test_what_is_no_json_object_is_refused(serve, path, content):
    assert serve().post(path, content=content).status_code == 400


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(['', '\ud800', '1e999', 'beetle', 'head', 'keypointlabels', CONFIG]),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(
            st.sampled_from(['id', 'result', 'value', 'x', 'data', 'image', 'type', 'text', 'd']),
            some,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw):
    """A sound request with something else in a few of its places."""
    path, sound = draw(
        st.sampled_from(
            [
                ('/webhook', annotated()),
                ('/predict', asked(data_uri()) | {'tasks': [annotated()['task']]}),
                ('/setup', {'project': '3.1', 'schema': CONFIG}),
                ('/v1/predict', {'model': 'beetle', 'image': data_uri(), 'params': {}}),
            ]
        )
    )
    request = json.loads(json.dumps(sound))
    if path == '/predict':
        request['tasks'][0]['annotations'] = [annotated()['annotation']]
    for _ in range(draw(st.integers(1, 3))):
        here = request
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            key = draw(st.sampled_from(keys))
            if not isinstance(here[key], (dict, list)) or not here[key] or draw(st.booleans()):
                here[key] = draw(values)
                break
            here = here[key]
    return path, request


@given(case=damaged())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_damaged_request_is_answered_or_refused(serve, beetle, case):
    path, request = case
    client = serve(beetle)
    answer = client.post(path, content=json.dumps(request).encode())
    assert answer.status_code in (200, 201, 400, 403, 404, 413), answer.text
    json.loads(answer.text, parse_constant=pytest.fail)
    # and it goes on to answer
    assert client.post('/setup', json={'project': '9', 'schema': CONFIG}).status_code == 200


def test_a_support_may_be_a_labelling_tools_file(tmp_path):
    (tmp_path / 'pictures').mkdir()
    (tmp_path / 'pictures' / 'x.png').write_bytes(png())
    labels = Labels('beetle', NAMES, SKELETON)
    labels.items = [Labelled('x.png', SIZE, POINTS, [2, 2, 2, 0], (30, 30, 180, 150))]
    write(labels, tmp_path / 'x.xml', 'cvat')
    category = given_category(labels=tmp_path / 'x.xml', images=tmp_path / 'pictures')
    (shot,) = category.shots
    assert (category.name, category.names) == ('beetle', tuple(NAMES))
    assert shot.box == (30, 30, 180, 150)
    assert shot.visible.tolist() == [True, True, True, False]


def test_a_support_may_be_a_set_of_ultralytics_with_its_pictures(tmp_path):
    (tmp_path / 'pictures').mkdir()
    (tmp_path / 'pictures' / 'x.png').write_bytes(png())
    labels = Labels('beetle', NAMES, SKELETON, [Labelled('x.png', SIZE, POINTS, [True] * 4)])
    write(labels, tmp_path / 'whole', 'ultralytics', images=tmp_path / 'pictures')
    write(labels, tmp_path / 'bare', 'ultralytics')
    for options in (
        {'labels': tmp_path / 'whole'},
        {'labels': tmp_path / 'whole/data.yaml'},
        {'labels': tmp_path / 'bare', 'images': tmp_path / 'pictures'},
    ):
        (shot,) = given_category(**options).shots
        np.testing.assert_allclose(shot.keypoints, POINTS, atol=1e-3)


def test_a_small_object_is_found_without_a_box_though_the_support_has_one(starter, tmp_path):
    height, width = SIZE
    support, query = np.full((2, 3 * height, 3 * width, 3), 200, np.uint8)
    support[height : 2 * height, width : 2 * width] = pixels()
    query[height // 2 : -3 * height // 2, width // 2 : -3 * width // 2] = pixels()
    shot = Support(
        support,
        POINTS + np.array((width, height)),
        np.ones(4, bool),
        SKELETON,
        (width, height, width, height),
    )
    (pose,) = Category('beetle', NAMES, SKELETON, [shot]).find(starter, query, [None])
    errors = np.linalg.norm(pose.keypoints - (POINTS + np.array((width, height)) / 2), axis=1)
    assert (errors < NEAR).all(), errors


def test_mistakes_in_what_is_given_are_told(tmp_path):
    image, keypoints = write_support(tmp_path, names=['a', 'b'])
    with pytest.raises(InputError, match="'names' as a list of 4"):
        given_category([image], [keypoints])
    with pytest.raises(InputError, match='for each picture'):
        given_category([image], [])
    with pytest.raises(InputError, match='not both'):
        given_category([image], [keypoints], labels='x.xml')
    labels = Labels('beetle', NAMES, [], [Labelled('../x.png', SIZE, POINTS, [True] * 4)])
    write(labels, tmp_path / 'x.json', 'coco')
    with pytest.raises(InputError, match='outside'):
        given_category(labels=tmp_path / 'x.json')
    assert given_category() is None


def test_the_command_tells_its_mistakes_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['fmmp.serve', '--labels', str(tmp_path / 'none.json')])
    with pytest.raises(SystemExit) as end:
        runpy.run_module('fmmp.serve', run_name='__main__')
    assert end.value.code.startswith('error: ') and 'none.json' in end.value.code
