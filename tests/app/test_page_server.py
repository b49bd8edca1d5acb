"""What the page's server answers, and whom."""

import io
import json
import zipfile
from string import printable
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmmp import formats
from tests.app.pages import ADDRESS, FakeEstimator, Page, write_pictures


def test_the_page_comes_whole_from_this_server(page):
    html = page.client.get('/')
    assert html.status_code == 200 and '://' not in html.text
    assert "default-src 'self'" in html.headers['Content-Security-Policy']
    for name in ('page.css', 'page.js', 'stage.js', 'icons.svg'):
        assert page.client.get(f'/static/{name}').status_code == 200
    for name in ('server.py', '..%2fserver.py', '%2e%2e/server.py'):
        assert page.client.get(f'/static/{name}').status_code == 404


def test_a_project_is_on_the_disk_when_a_change_is_answered(page):
    page.label()
    again = Page(page.root).client.get('/api/project').json()
    assert [keypoint['name'] for keypoint in again['keypoints']] == ['nose', 'tail']
    assert again['pictures']['a.jpg']['points']['k1']['x'] == 10
    assert again['pictures']['b.jpg']['points'] == {}


def test_the_shots_keypoints_are_predicted_in_all_other_pictures(page):
    page.label()
    page.predict(first='sub/c.png')
    assert page.estimators[0].asked == ['c.png', 'b.jpg']
    pictures = page.client.get('/api/project').json()['pictures']
    point = pictures['b.jpg']['points']['k2']
    assert (point['x'], point['y'], point['confidence']) == (30, 40, 0.11)
    assert point['layers'] == [[35, 45], [30, 40]]
    assert (
        not pictures['b.jpg']['checked'] and 'confidence' not in pictures['a.jpg']['points']['k2']
    )
    assert Page(page.root).project.pictures == page.project.pictures


def test_supports_are_encoded_again_only_when_a_shot_has_changed(page):
    page.label()
    page.predict()
    page.predict()
    assert len(page.estimators) == 1
    corrected = {'k1': {'x': 11, 'y': 22}, 'k2': {'x': 31, 'y': 42, 'hidden': True}}
    page.label('b.jpg', points=corrected)
    page.predict()
    first, second = page.estimators[1].supports
    assert len(page.estimators) == 2
    assert (first['visible'], second['visible']) == ([True, True], [True, False])
    assert page.estimators[1].asked == ['c.png']


def test_a_picture_corrected_meanwhile_keeps_what_the_person_did(page, monkeypatch):
    page.label()
    held = FakeEstimator([{'keypoints': [[1, 2], [3, 4]]}])
    held.may_go_on.clear()
    monkeypatch.setattr(page.predictor, '_make', lambda model, supports: held)
    assert page.client.put('/api/prediction').status_code == 202
    page.label('b.jpg', points={'k1': {'x': 50, 'y': 50}})
    held.may_go_on.set()
    page.wait()
    assert page.project.picture('b.jpg')['points']['k1']['x'] == 50
    assert page.project.picture('sub/c.png')['points']['k1']['x'] == 1


def test_predicting_without_a_labelled_picture_says_what_to_do(page):
    answer = page.client.put('/api/prediction')
    assert answer.status_code == 400 and 'label a picture first' in answer.json()['error']


def test_a_broken_picture_is_shown_as_such_and_left_out(page):
    (page.root / 'a_broken.jpg').write_bytes((page.root / 'a.jpg').read_bytes()[:-200])
    page.client.get('/api/project')
    page.label()
    shown = page.client.get('/api/picture', params={'name': 'a_broken.jpg', 'size': 'thumb'})
    assert shown.status_code == 400
    pictures = page.client.get('/api/project').json()['pictures']
    assert 'not a readable picture' in pictures['a_broken.jpg']['error']
    page.predict()
    assert page.estimators[0].asked == ['b.jpg', 'c.png']


def test_hostile_names_are_data(page):
    names = ['<img src=x onerror=alert(1)>.jpg', '"\'&?#%2e.jpg', ' %00.jpg']
    write_pictures(page.root, names)
    listed = page.client.get('/api/project').json()['pictures']
    for name in names:
        answer = page.client.get('/api/picture', params={'name': name, 'version': '1'})
        assert name in listed and answer.headers['content-type'] == 'image/jpeg'


@pytest.mark.parametrize(
    'name', ['../outside.jpg', '..\\outside.jpg', '/etc/passwd', 'fmmp_project.json', 'sub', '\0']
)
def test_a_path_outside_the_folder_is_refused(page, name):
    write_pictures(page.root.parent, ['outside.jpg'])
    assert page.client.get('/api/picture', params={'name': name}).status_code == 404
    patch = {'pictures': {name: {}}}
    assert page.client.patch('/api/project', json=patch).status_code == 404


@pytest.mark.parametrize(
    'headers',
    [
        {'Host': 'evil.example'},
        {'Host': 'evil.example:8008'},
        {'Host': '127.0.0.1.evil.example'},
        {'Origin': 'http://evil.example'},
        {'Origin': 'http://127.0.0.1:9999'},
        {'Origin': 'null'},
        {'Sec-Fetch-Site': 'cross-site'},
        {'Sec-Fetch-Site': 'same-site'},
    ],
    ids=str,
)
def test_others_pages_are_refused(page, headers):
    page.label()
    assert page.client.get('/api/project', headers=headers).status_code == 403
    assert page.client.patch('/api/project', json={}, headers=headers).status_code == 403
    assert page.client.get('/api/project', headers={'Origin': ADDRESS}).status_code == 200


def test_from_other_machines_the_token_is_needed(root):
    client = Page(root, token='secret').client
    client.base_url = 'http://lab.example'
    assert client.get('/').status_code == 401
    assert client.get('/?token=wrong').status_code == 401
    assert client.get('/api/project?token=secret').status_code == 401
    assert client.get('/?token=secret').status_code == 200  # after a redirection, with the cookie
    assert client.get('/api/project').status_code == 200
    assert client.get('/api/project', headers={'Origin': 'http://x.example'}).status_code == 403


def test_uploads_are_limited_and_checked(page, monkeypatch):
    content = (page.root / 'a.jpg').read_bytes()
    put = lambda name, body: page.client.put('/api/pictures', params={'name': name}, content=body)  # noqa: E731
    assert put('../new.jpg', content).json() == {'name': 'new.jpg'}
    assert put('new.jpg', b'no').status_code == 400
    monkeypatch.setattr('fmmp.app.server.MOST_BYTES', 100)
    assert put('x.jpg', content).status_code == 400
    monkeypatch.setattr('fmmp.app.folder.MOST_PICTURES', 4)
    assert 'the most' in put('x.jpg', content[:100]).json()['error']
    assert sorted(page.folder.pictures) == ['a.jpg', 'b.jpg', 'new.jpg', 'sub/c.png']


@pytest.mark.parametrize('format', ['coco', 'cvat', 'label_studio', 'labelme'])
def test_an_export_reads_back_as_what_was_labelled(page, tmp_path, format):
    page.label(box=[1, 2, 50, 40])
    page.predict()
    answer = page.client.get('/api/export', params={'format': format, 'predicted': '1'})
    assert answer.status_code == 200, answer.text
    name = answer.headers['Content-Disposition'].split('"')[1]
    path = tmp_path / name
    path.write_bytes(answer.content)
    if path.suffix == '.zip':
        path = tmp_path / 'unpacked'
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(path)
        path = next(iter(path.glob('tasks.json')), path)
    labels = formats.read(path, format)
    assert list(labels.names) == ['nose', 'tail']
    first = next(item for item in labels.items if item.image == 'a.jpg')
    assert first.keypoints.round(1).tolist() == [[10, 20], [30, 40]]
    assert {item.image for item in labels.items} == {'a.jpg', 'b.jpg', 'sub/c.png'}


@pytest.mark.parametrize('stem', ['猫', 'café', 'a "quoted" 100%', 'plain'])
def test_a_download_is_named_after_its_picture_in_any_script(page, stem):
    write_pictures(page.root, [f'{stem}.png'])
    page.client.get('/api/project')
    page.label(f'{stem}.png')
    answer = page.client.get('/api/export', params={'format': 'labelme'})
    assert answer.status_code == 200, answer.text
    fallback, full = answer.headers['Content-Disposition'].split('; ')[1:]
    assert fallback.isascii() and fallback.count('"') == 2
    assert unquote(full) == f"filename*=UTF-8''{stem}.json"


def test_only_what_is_checked_is_exported_unless_asked(page):
    empty = page.client.get('/api/export', params={'format': 'coco'})
    assert empty.status_code == 400 and 'no picture is checked' in empty.json()['error']
    page.label()
    page.predict()
    content = page.client.get('/api/export', params={'format': 'coco'}).json()
    assert [image['file_name'] for image in content['images']] == ['a.jpg']


def test_an_example_comes_with_its_first_picture_labelled(tmp_path):
    pytest.importorskip('skimage')
    page = Page(tmp_path / 'new')
    assert page.client.get('/api/example?name=cat').headers['content-type'] == 'image/jpeg'
    assert page.client.put('/api/example?name=cat').json() == {'name': 'cat_1.png'}
    page.predict()
    pictures = page.client.get('/api/project').json()['pictures']
    assert len(pictures) == 12 and all(len(p['points']) == 9 for p in pictures.values())
    assert page.client.put('/api/example?name=cup').status_code == 400
    assert Page(tmp_path / 'other').client.put('/api/example?name=x').status_code == 404


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ['keypoints', 'links', 'pictures', 'points', 'a.jpg', 'k1', 'x', 'y', 'id', 'name']
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.fixture(scope='module')
def fuzzed(tmp_path_factory):
    root = tmp_path_factory.mktemp('fuzzed')
    write_pictures(root, ['a.jpg'])
    page = Page(root)
    page.label()
    return page


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(patch=JSON)
def test_any_change_is_taken_or_refused_and_the_project_stays_readable(fuzzed, patch):
    body = json.dumps(patch)
    answer = fuzzed.client.patch('/api/project', content=body)
    assert answer.status_code in (200, 400, 404)
    assert fuzzed.client.get('/api/project').status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(['GET', 'PUT', 'PATCH', 'DELETE', 'POST', 'HEAD']),
    path=st.sampled_from(
        [
            '/',
            '/static/x',
            '/api/project',
            '/api/picture',
            '/api/pictures',
            '/api/prediction',
            '/api/example',
            '/api/export',
            '/nothing',
        ]
    ),
    query=st.dictionaries(
        st.sampled_from(['name', 'size', 'format', 'predicted', 'first']),
        st.text(max_size=8) | st.text(printable, max_size=8) | st.sampled_from(['a.jpg', 'coco']),
        max_size=3,
    ),
    body=st.binary(max_size=40),
)
def test_any_request_is_answered_without_an_error_of_the_server(fuzzed, method, path, query, body):
    query = {key: value.encode('utf-8', 'replace').decode() for key, value in query.items()}
    answer = fuzzed.client.request(method, path, params=query, content=body)
    assert answer.status_code < 500


def test_a_box_beside_its_picture_is_told_and_the_other_pictures_are_predicted(page):
    page.label()
    page.label('b.jpg', points={}, checked=False, shot=False, box=[500, 500, 9, 9])
    page.predict()
    assert page.predictor.status['message'].startswith('b.jpg: ')
    assert page.project.picture('sub/c.png')['points']


def test_deeplabcuts_rows_name_the_folder_of_the_pictures(page):
    page.label()
    content = page.client.get('/api/export', params={'format': 'deeplabcut'}).text
    assert f'labeled-data,{page.root.name},a.jpg,' in content


def test_what_the_method_looks_at_is_told_of_a_picture_and_of_its_examples(page):
    assert page.client.get('/api/samples', params={'name': 'b.jpg'}).status_code == 400
    page.label()
    looked = page.client.get('/api/samples', params={'name': 'b.jpg'}).json()
    assert looked['image'] == {'k1': [[5, 10, 1]], 'k2': [[15, 20, 1]]}
    points = {'k1': [[10, 20, 1]], 'k2': [[30, 40, 1]]}
    assert looked['supports'] == [{'name': 'a.jpg', 'points': points}]
    assert page.client.get('/api/samples', params={'name': '../a.jpg'}).status_code == 404


def test_two_servers_of_one_host_have_a_cookie_each(root):
    first, second = (Page(root, token).client for token in ('one', 'two'))
    second.base_url = 'http://127.0.0.1:8009'
    for client, token in ((first, 'one'), (second, 'two')):
        assert client.get(f'/?token={token}').status_code == 200
    for client in (first, second):  # a browser sends both, since ports do not part cookies
        client.cookies.update(dict((first if client is second else second).cookies))
        assert client.get('/api/project').status_code == 200


def test_a_page_of_another_folder_is_refused_and_writes_nothing(page, tmp_path):
    other = Page(tmp_path / 'other')
    write_pictures(other.root, ['a.jpg'])
    own = page.client.get('/api/project').json()['project']
    assert page.client.get('/api/changes').json()['project'] == own
    foreign = {'FMMP-Project': own}
    patch = {'pictures': {'a.jpg': {'checked': True}}}
    before = sorted(other.root.iterdir())
    for answer in (
        other.client.patch('/api/project', json=patch, headers=foreign),
        other.client.put('/api/example?name=cat', headers=foreign),
        other.client.put('/api/pictures?name=a.jpg', content=b'', headers=foreign),
        other.client.put('/api/prediction', headers=foreign),
        other.client.get('/api/changes', headers=foreign),
    ):
        assert answer.status_code == 409 and 'another folder' in answer.json()['error']
    assert sorted(other.root.iterdir()) == before and not other.project.pictures
    again = Page(page.root)  # another server of the page's own folder
    assert again.client.patch('/api/project', json=patch, headers=foreign).status_code == 200
