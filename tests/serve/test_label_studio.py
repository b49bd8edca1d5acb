import http.server
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from fmmp import formats
from fmmp.errors import InputError
from fmmp.formats.label_studio import config_of, read_results
from fmmp.formats.labels import Labelled, Labels
from fmmp.serve.category import given_category

from .pictures import NAMES, NEAR, POINTS, SIZE, SKELETON, data_uri, pixels, png

CONFIG = config_of(Labels('beetle', NAMES, SKELETON)).decode()
WIDTH, HEIGHT = SIZE[1], SIZE[0]


def region(kind, value, **more):
    """A result as Label Studio's editor makes it."""
    names = {'keypointlabels': ('keypoints', 'kp'), 'rectanglelabels': ('box', 'r')}
    return {
        'original_width': WIDTH,
        'original_height': HEIGHT,
        'image_rotation': 0,
        'value': value,
        'id': names[kind][1] + str(abs(hash(str(value))) % 1000),
        'from_name': names[kind][0],
        'to_name': 'image',
        'type': kind,
        'origin': 'manual',
        **more,
    }


def annotated(shift=(0, 0), number=1, updated='2026-01-01T00:00:00Z', task=1, image=None):
    """A webhook's message, of a task whose picture has moved."""
    points = (POINTS + shift) * 100 / (WIDTH, HEIGHT)
    result = [
        region('keypointlabels', {'x': x, 'y': y, 'width': 0.75, 'keypointlabels': [name]})
        for name, (x, y) in zip(NAMES, points.tolist(), strict=True)
    ]
    return {
        'action': 'ANNOTATION_CREATED',
        'project': {'id': 3, 'title': 'beetles', 'label_config': CONFIG},
        'task': {'id': task, 'data': {'image': image or data_uri(pixels(shift))}, 'project': 3},
        'annotation': {'id': number, 'result': result, 'updated_at': updated, 'task': task},
    }


def asked(*images, **params):
    """A request for predictions, as Label Studio sends it."""
    return {
        'tasks': [{'id': i, 'data': {'image': image}} for i, image in enumerate(images)],
        'model_version': None,
        'project': '3.1767225600',
        'label_config': CONFIG,
        'params': {'login': None, 'password': None, 'context': None, **params},
    }


def found(answer, number=0):
    """The objects of an answer's prediction: label, box, points (K, 2)."""
    assert answer.status_code == 200, answer.text
    results = answer.json()['results'][number]['result']
    return [
        (label, box, np.array([points[name][:2] for name in NAMES]))
        for label, _, box, points in read_results(results)
    ]


def assert_found(points, shift):
    errors = np.linalg.norm(points - (POINTS + shift), axis=1)
    assert (errors < NEAR).all(), errors


def test_it_is_healthy(serve):
    client = serve()
    for path in ('/', '/health'):
        assert client.get(path).json()['status'] == 'UP'


def test_a_project_is_set_up(serve):
    request = {
        'project': '3.1767225600',
        'schema': CONFIG,
        'hostname': 'http://localhost:8080',
        'access_token': 'abc',
        'extra_params': None,
    }
    answer = serve().post('/setup', json=request)
    assert answer.status_code == 200
    assert answer.json()['model_version'].startswith('fmmp')


def test_a_configuration_without_keypoints_is_refused_with_the_way_out(serve):
    schema = '<View><Image name="i" value="$image"/></View>'
    answer = serve().post('/setup', json={'project': '3', 'schema': schema})
    assert answer.status_code == 400
    assert 'KeyPointLabels' in answer.json()['detail']


def test_before_anything_is_annotated_predictions_are_empty(serve):
    answer = serve().post('/predict', json=asked(data_uri(), data_uri()))
    assert answer.status_code == 200
    assert [one['result'] for one in answer.json()['results']] == [[], []]


def test_the_first_annotated_task_is_the_support(serve):
    client = serve()
    assert client.post('/webhook', json=annotated()).status_code == 201
    ((label, box, points),) = found(client.post('/predict', json=asked(data_uri(pixels((20, 12))))))
    assert label == 'beetle'
    assert_found(points, (20, 12))
    x, y, w, h = box
    assert ((points >= (x, y)) & (points <= (x + w, y + h))).all()


def test_keypoints_have_their_rectangle_as_a_parent_and_a_score(serve):
    client = serve()
    client.post('/webhook', json=annotated())
    answer = client.post('/predict', json=asked(data_uri())).json()
    rectangle, *points = answer['results'][0]['result']
    assert rectangle['type'] == 'rectanglelabels'
    assert {point['parentID'] for point in points} == {rectangle['id']}
    assert [point['value']['keypointlabels'] for point in points] == [[name] for name in NAMES]
    assert all(0 <= point['score'] <= 1 for point in points)
    assert 0 <= answer['results'][0]['score'] <= 1


def test_a_support_that_was_given_answers_at_once(serve, beetle):
    client = serve(beetle)
    ((_, _, points),) = found(client.post('/predict', json=asked(data_uri(pixels((-15, 5))))))
    assert_found(points, (-15, 5))


def test_keypoints_that_no_shot_shows_are_not_suggested(serve, tailless):
    answer = serve(tailless).post('/predict', json=asked(data_uri())).json()
    points = answer['results'][0]['result'][1:]
    assert [point['value']['keypointlabels'] for point in points] == [[n] for n in NAMES[:-1]]


def test_a_given_support_is_matched_by_the_names_of_its_keypoints(serve, beetle):
    order = [2, 0, 3, 1]
    names = [NAMES[i] for i in order]
    request = asked(data_uri())
    request['label_config'] = config_of(Labels('beetle', names, [])).decode()
    ((_, _, points),) = found(serve(beetle).post('/predict', json=request))
    assert_found(points, (0, 0))


def test_a_correction_takes_the_place_of_what_it_corrects(serve):
    client = serve()
    wrong = annotated()
    wrong['annotation']['result'][0]['value'] |= {'x': 90, 'y': 90}
    first = client.post('/webhook', json=wrong).json()['model_version']
    right = annotated(updated='2026-01-02T00:00:00Z') | {'action': 'ANNOTATION_UPDATED'}
    second = client.post('/webhook', json=right).json()['model_version']
    assert first.startswith('fmmp 1-shot') and second.startswith('fmmp 1-shot')
    assert first != second
    ((_, _, points),) = found(client.post('/predict', json=asked(data_uri())))
    assert_found(points, (0, 0))


def test_further_annotations_become_further_shots_up_to_five(serve):
    client = serve()
    for number in range(7):
        message = annotated((number, 0), number=number, task=number)
        version = client.post('/webhook', json=message).json()['model_version']
        assert version.startswith(f'fmmp {min(number + 1, 5)}-shot')


def test_what_was_learnt_once_is_not_learnt_again(serve):
    client = serve()
    versions = {client.post('/webhook', json=annotated()).json()['model_version'] for _ in range(3)}
    assert len(versions) == 1


def test_a_deleted_annotation_is_forgotten(serve):
    client = serve()
    client.post('/webhook', json=annotated(number=8))
    message = {'action': 'ANNOTATIONS_DELETED', 'project': {'id': 3}, 'annotations': [{'id': 8}]}
    assert '0-shot' in client.post('/webhook', json=message).json()['model_version']
    answer = client.post('/predict', json=asked(data_uri()))
    assert answer.json()['results'][0]['result'] == []


def test_annotations_that_come_with_the_tasks_are_learnt_from(serve):
    client = serve()
    request = asked(data_uri(), data_uri(pixels((10, 10))))
    request['tasks'][0]['annotations'] = [annotated()['annotation']]
    ((_, _, points),) = found(client.post('/predict', json=request), 1)
    assert_found(points, (10, 10))


def test_a_rectangle_that_was_just_drawn_is_the_objects_box(serve):
    client = serve()
    client.post('/webhook', json=annotated())
    wide = np.full((HEIGHT, 2 * WIDTH, 3), 200, np.uint8)
    wide[:, :WIDTH] = wide[:, WIDTH:] = pixels()
    place = {'x': 50, 'y': 0, 'width': 50, 'height': 100, 'rotation': 0}
    drawn = region('rectanglelabels', {**place, 'rectanglelabels': ['beetle']})
    request = asked(data_uri(wide), context={'result': [drawn]})
    ((_, box, points),) = found(client.post('/predict', json=request))
    np.testing.assert_allclose(box, (WIDTH, 0, WIDTH, HEIGHT))
    assert_found(points, (WIDTH, 0))


def test_each_label_has_shots_of_its_own(serve):
    client = serve()
    config = CONFIG.replace(
        '<Label value="beetle" />', '<Label value="beetle" /><Label value="ant" />'
    )
    assert config != CONFIG
    message = annotated()
    message['project']['label_config'] = config
    place = {'x': 0, 'y': 0, 'width': 100, 'height': 100, 'rotation': 0}
    ant = region('rectanglelabels', {**place, 'rectanglelabels': ['ant']}, id='r')
    for point in message['annotation']['result']:
        point['parentID'] = 'r'
    message['annotation']['result'].append(ant)
    client.post('/webhook', json=message)
    request = asked(data_uri()) | {'label_config': config}
    assert [label for label, *_ in found(client.post('/predict', json=request))] == ['ant']


def test_one_picture_that_cannot_be_read_does_not_stop_the_others(serve, beetle):
    client = serve(beetle)
    answer = client.post('/predict', json=asked('data:image/png;base64,AAAA', data_uri()))
    assert answer.json()['results'][0]['result'] == []
    assert 'picture' in answer.json()['results'][0]['error']
    assert_found(found(answer, 1)[0][2], (0, 0))
    alone = client.post('/predict', json=asked('data:image/png;base64,AAAA'))
    assert alone.status_code == 400


def test_local_files_are_read_below_their_folder_alone(serve, beetle, tmp_path):
    folder = tmp_path / 'files'
    (folder / 'a b').mkdir(parents=True)
    (folder / 'a b' / 'x.png').write_bytes(png())
    (tmp_path / 'secret.png').write_bytes(png())
    (folder / 'link.png').symlink_to(tmp_path / 'secret.png')
    client = serve(beetle, folder=folder)

    def status(address):
        return client.post('/predict', json=asked(address)).status_code

    assert status('/data/local-files/?d=a%20b/x.png') == 200
    assert status('/data/local-files/?d=a%20b/y.png') == 404
    assert status('/data/local-files/?d=a%20b') == 404
    for outside in (
        '../secret.png',
        'link.png',
        str(tmp_path / 'secret.png'),
        'a b/../../secret.png',
    ):
        assert status(f'/data/local-files/?d={outside}') == 403
    assert status('/data/local-files/?d=%00') == 403


@pytest.mark.parametrize(
    'address',
    [
        '/data/local-files/?d=x.png',
        '/data/upload/3/x.png',
        'http://169.254.169.254/latest/meta-data',
        'file:///etc/passwd',
        '/etc/passwd',
        '@example.org/x.png',
        'http://[',
        '',
        None,
        7,
    ],
)
def test_pictures_anywhere_else_are_refused(serve, beetle, address):
    answer = serve(beetle).post('/predict', json=asked(address))
    assert answer.status_code in (400, 403)
    assert answer.json()['error']['code'] == 'INVALID_IMAGE'


@pytest.fixture
def label_studio():
    """A server that gives a picture to who has the token, and otherwise leads elsewhere."""

    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get('Authorization')))
            if self.path == '/data/upload/3/my%20x.png':
                self.send_response(200)
                self.end_headers()
                self.wfile.write(png())
            else:
                self.send_response(302)
                self.send_header('Location', 'http://127.0.0.1:1/elsewhere')
                self.end_headers()

        def do_POST(self):
            self.rfile.read(int(self.headers['Content-Length']))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({'access': 'fresh'}).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}', seen
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(('key', 'header'), [('k', 'Token k'), ('a.b.c', 'Bearer fresh')])
def test_uploaded_pictures_come_from_the_label_studio_that_was_named(
    serve, beetle, label_studio, key, header
):
    address, seen = label_studio
    client = serve(beetle, label_studio=address, key=key)
    for picture in ('/data/upload/3/my x.png', f'{address}/data/upload/3/my%20x.png'):
        assert client.post('/predict', json=asked(picture)).status_code == 200
    assert {asked_with for _, asked_with in seen} == {header}


@pytest.mark.parametrize(
    'address',
    [
        '/data/upload/elsewhere.png',
        '@127.0.0.1:1/data/x.png',
        'http://127.0.0.1:1/data/x.png',
        '/data/../api/users',
        '/data/%2e%2e/api/users',
        '/api/users',
    ],
)
def test_nothing_else_is_asked_with_the_token(serve, beetle, label_studio, address):
    server, seen = label_studio
    client = serve(beetle, label_studio=server, key='k')
    assert client.post('/predict', json=asked(address)).status_code in (400, 403)
    assert all(path.startswith('/data/upload/') for path, _ in seen)


def test_the_docs_configuration_is_one_that_the_server_takes(serve):
    page = Path(__file__).resolve().parents[2] / 'docs' / 'labelling' / 'label_studio.md'
    text = page.read_text().partition('```xml\n')[2].partition('```')[0]
    answer = serve().post('/setup', json={'project': '1', 'schema': text})
    assert answer.status_code == 200, answer.text


def test_label_studios_own_classes_take_configuration_and_predictions(serve, beetle):
    interface = pytest.importorskip('label_studio_sdk.label_interface').LabelInterface(CONFIG)
    interface.validate()
    answer = serve(beetle).post('/predict', json=asked(data_uri()))
    prediction = answer.json()['results'][0]
    assert interface.validate_prediction(prediction, return_errors=True) == []


def test_a_shot_whose_picture_is_gone_does_not_stop_the_other_tasks(serve, beetle):
    message = annotated()
    gone = {'id': 9, 'data': {'image': 'gone.png'}, 'annotations': [message['annotation']]}
    request = asked(data_uri())
    request['tasks'].append(gone)
    answers = serve(beetle).post('/predict', json=request)
    assert_found(found(answers)[0][2], (0, 0))
    assert 'gone.png' in answers.json()['results'][1]['error']


def test_shots_whose_keypoints_the_project_lacks_are_left_out_with_a_warning(serve, beetle):
    config = config_of(Labels('beetle', ['eye', 'wing'])).decode()
    with pytest.warns(UserWarning, match="shots of 'beetle' are left out"):
        serve(beetle).post('/setup', json={'project': '1', 'schema': config})


def test_a_labels_file_of_images_of_another_size_is_refused(tmp_path):
    (tmp_path / 'beetle.png').write_bytes(png())
    item = Labelled('beetle.png', (WIDTH, HEIGHT), POINTS, [2] * len(POINTS))  # lies on its side
    formats.write(Labels('beetle', NAMES, SKELETON, [item]), tmp_path / 'x.json', 'coco')
    with pytest.raises(InputError, match='labelled as 200 × 240 pixels, and the image has 240'):
        given_category(labels=tmp_path / 'x.json')


def test_a_pipe_among_the_local_files_is_not_waited_for(serve, beetle, tmp_path):
    os.mkfifo(tmp_path / 'pipe.png')
    request = asked('/data/local-files/?d=pipe.png')
    assert serve(beetle, folder=tmp_path).post('/predict', json=request).status_code == 404
