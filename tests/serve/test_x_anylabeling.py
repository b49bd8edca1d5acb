import base64
import json
from pathlib import Path

import numpy as np
import pytest

from fmmp.serve.category import given_category

from .pictures import NAMES, NEAR, POINTS, SIZE, data_uri, pixels, png

DATA = Path(__file__).parent.parent / 'data'
SHAPE = {
    'label', 'shape_type', 'points', 'score', 'attributes', 'description', 'difficult', 'direction',
    'flags', 'group_id', 'kie_linking',
}  # fmt: skip


def test_a_category_is_a_model(serve, beetle):
    client = serve(beetle)
    listed = client.get('/v1/models').json()
    assert listed['success'] is True
    assert list(listed['data']) == ['beetle']
    shown = client.get('/v1/models/beetle/info').json()['data']
    assert shown['model_id'] == 'beetle'
    assert {'name': 'button_run', 'value': None} in shown['widgets']


def test_a_picture_gets_points_that_are_joined_to_their_rectangle(serve, beetle):
    image = pixels((12, -8))
    request = {'model': 'beetle', 'image': data_uri(image), 'params': {'conf_threshold': 0.1}}
    answer = serve(beetle).post('/v1/predict', json=request).json()
    assert answer['success'] is True
    assert answer['data']['description'] == ''
    rectangle, *points = answer['data']['shapes']
    assert all(shape.keys() == SHAPE for shape in answer['data']['shapes'])
    assert (rectangle['label'], rectangle['shape_type']) == ('beetle', 'rectangle')
    assert len(rectangle['points']) == 4
    assert [point['label'] for point in points] == NAMES
    assert {shape['group_id'] for shape in answer['data']['shapes']} == {1}
    place = np.array([point['points'][0] for point in points])
    assert (np.linalg.norm(place - (POINTS + np.array((12, -8))), axis=1) < NEAR).all()
    low, high = np.min(rectangle['points'], axis=0), np.max(rectangle['points'], axis=0)
    assert (low >= 0).all() and (high <= SIZE[::-1]).all()
    assert ((place >= low) & (place <= high)).all()


def test_keypoints_that_no_shot_shows_are_not_suggested(serve, tailless):
    request = {'model': tailless.name, 'image': data_uri()}
    shapes = serve(tailless).post('/v1/predict', json=request).json()['data']['shapes']
    assert [shape['label'] for shape in shapes[1:]] == NAMES[:-1]


def test_base64_without_a_head_is_taken_too(serve, beetle):
    request = {'model': 'beetle', 'image': base64.b64encode(png()).decode()}
    assert serve(beetle).post('/v1/predict', json=request).json()['success'] is True


def test_keypoints_of_too_little_confidence_are_left_out(serve, beetle):
    request = {'model': 'beetle', 'image': data_uri(), 'params': {'conf_threshold': 1.0}}
    shapes = serve(beetle).post('/v1/predict', json=request).json()['data']['shapes']
    assert all(shape['score'] >= 1 for shape in shapes)


@pytest.mark.parametrize(
    ('request_', 'status', 'code', 'words'),
    [
        ({'model': 'bee', 'image': 'x'}, 404, 'MODEL_NOT_FOUND', 'beetle'),
        ({'image': 'x'}, 404, 'MODEL_NOT_FOUND', 'None'),
        ({'model': 'beetle'}, 400, 'INVALID_IMAGE', 'base64'),
        ({'model': 'beetle', 'image': '****'}, 400, 'INVALID_IMAGE', 'base64'),
        ({'model': 'beetle', 'image': 'AAAA'}, 400, 'INVALID_IMAGE', 'no picture'),
        ({'model': 'beetle', 'image': 'x', 'params': 3}, 400, 'INVALID_REQUEST', 'conf_threshold'),
        (
            {'model': 'beetle', 'image': 'x', 'params': {'conf_threshold': 2}},
            400,
            'INVALID_REQUEST',
            'between 0 and 1',
        ),
    ],
)
def test_mistakes_are_told(serve, beetle, request_, status, code, words):
    answer = serve(beetle).post('/v1/predict', json=request_)
    assert answer.status_code == status
    assert answer.json()['success'] is False
    assert answer.json()['error']['code'] == code
    assert words in answer.json()['error']['message']


def test_what_x_anylabeling_saves_of_an_answer_is_a_support(serve, beetle, tmp_path):
    (tmp_path / 'x.png').write_bytes(png())
    request = {'model': 'beetle', 'image': data_uri()}
    shapes = serve(beetle).post('/v1/predict', json=request).json()['data']['shapes']
    head = {'version': '3.3.0', 'flags': {}, 'imagePath': 'x.png', 'imageData': None}
    size = {'imageHeight': SIZE[0], 'imageWidth': SIZE[1]}
    (tmp_path / 'x.json').write_text(json.dumps({**head, 'shapes': shapes, **size}))
    category = given_category(labels=tmp_path / 'x.json')
    assert (category.name, category.names) == ('beetle', tuple(NAMES))
    assert (np.linalg.norm(category.shots[0].keypoints - POINTS, axis=1) < NEAR).all()


def test_each_rectangle_that_was_added_is_an_objects_box(serve, beetle):
    height, width = SIZE
    picture = np.concatenate([pixels(), pixels()], axis=1)
    marks = [
        {'type': 'rectangle', 'data': [0, 0, width, height], 'label': 1},
        {'type': 'rectangle', 'data': [2 * width, height, width, 0], 'label': 1},
        {'type': 'rectangle', 'data': [0, 0, 9, 9], 'label': 0},
        {'type': 'point', 'data': [3, 3], 'label': 1},
    ]
    request = {'model': 'beetle', 'image': data_uri(picture), 'params': {'marks': marks}}
    shapes = serve(beetle).post('/v1/predict', json=request).json()['data']['shapes']
    assert {shape['group_id'] for shape in shapes} == {1, 2}
    for group, left in ((1, 0), (2, width)):
        own = [one for one in shapes if one['group_id'] == group and one['shape_type'] == 'point']
        place = np.array([point['points'][0] for point in own])
        assert (np.linalg.norm(place - (POINTS + np.array((left, 0))), axis=1) < NEAR).all()


@pytest.mark.parametrize('marks', [3, [3], [{'type': 'rectangle', 'data': [1, 2, 3]}]])
def test_marks_of_another_form_are_refused(serve, beetle, marks):
    request = {'model': 'beetle', 'image': data_uri(), 'params': {'marks': marks}}
    answer = serve(beetle).post('/v1/predict', json=request)
    assert answer.status_code == 400 and 'two corners' in answer.json()['error']['message']


def test_a_request_that_the_program_itself_has_sent_is_answered(serve, beetle):
    recorded = json.loads((DATA / 'x_anylabeling_request.json').read_text())
    body = {**recorded['body'], 'image': data_uri()}  # its picture was another
    answer = serve(beetle).request(
        recorded['method'], recorded['path'], headers=recorded['headers'], json=body
    )
    assert answer.status_code == 200
    shapes = answer.json()['data']['shapes']
    assert [shape['group_id'] for shape in shapes] == [1] * 5 + [2] * 5
