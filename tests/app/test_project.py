"""A labelling project and its file."""

import json

import pytest

from fmmp.app.project import Project
from fmmp.errors import InputError

KEYPOINTS = [{'id': 'k1', 'name': 'nose'}, {'id': 'k2', 'name': 'tail'}]
LABELLED = {
    'points': {'k1': {'x': 1.5, 'y': 2}, 'k2': {'x': 3, 'y': 4, 'hidden': True}},
    'checked': True,
    'shot': True,
    'box': [0, 0, 10, 12],
}


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path / 'project.json')
    project.change(
        {'keypoints': KEYPOINTS, 'links': [['k1', 'k2']], 'pictures': {'a.jpg': LABELLED}}
    )
    return project


def test_a_project_reopens_as_it_was_saved(project):
    project.save()
    again = Project(project.path)
    assert (again.keypoints, again.links) == (project.keypoints, project.links)
    assert again.pictures == project.pictures
    assert again.picture('a.jpg')['points']['k2'] == {'x': 3, 'y': 4, 'hidden': True}


@pytest.mark.parametrize(
    ('patch', 'where'),
    [
        ([], 'the change'),
        ({'colour': 1}, 'the change: colour'),
        ({'keypoints': [{'id': 'k1', 'name': 'a'}, {'id': 'k1', 'name': 'b'}]}, 'same id'),
        ({'keypoints': [{'id': 'k1'}]}, 'keypoints.0'),
        ({'keypoints': [{'id': 'k1', 'name': 'x' * 500}]}, 'keypoints.0'),
        ({'keypoints': [{'id': 'k1', 'name': '\ud800'}]}, 'keypoints.0'),
        ({'links': [['k1', 'k9']]}, 'links.0'),
        ({'links': [['k1', 'k1']]}, 'links.0'),
        ({'pictures': {'a.jpg': {'points': {'k1': {'x': 1}}}}}, 'points.k1'),
        ({'pictures': {'a.jpg': {'points': {'k1': {'x': 1e9, 'y': 0}}}}}, 'out of range'),
        ({'pictures': {'a.jpg': {'points': {'k1': {'x': 10**400, 'y': 0}}}}}, 'out of range'),
        ({'pictures': {'a.jpg': {'points': {'k1': {'x': float('nan'), 'y': 0}}}}}, 'out of range'),
        ({'pictures': {'a.jpg': {'points': {'k1': {'x': True, 'y': 0}}}}}, 'numbers'),
        ({'pictures': {'a.jpg': {'box': [0, 0, 0, 5]}}}, 'box'),
        ({'pictures': {'a.jpg': {'checked': 1}}}, 'checked'),
        ({'pictures': {'a.jpg': {'path': '/etc'}}}, 'path is none of'),
    ],
)
def test_a_change_of_another_form_is_refused_whole(project, patch, where):
    before = json.dumps(project.changes(0))
    with pytest.raises(InputError, match=where):
        project.change({'keypoints': KEYPOINTS[:1], **patch} if isinstance(patch, dict) else patch)
    assert json.dumps(project.changes(0)) == before


def test_a_keypoint_taken_out_loses_its_links_and_comes_back_with_its_points(project):
    project.change({'keypoints': KEYPOINTS[:1]})
    assert project.links == []
    project.change({'keypoints': KEYPOINTS})
    assert project.picture('a.jpg')['points'].keys() == {'k1', 'k2'}
    project.change({'keypoints': KEYPOINTS[:1]})
    project.save()
    assert Project(project.path).picture('a.jpg')['points'].keys() == {'k1'}


def test_changes_hold_what_came_after_a_revision(project):
    at = project.revision
    assert project.changes(at) == {'revision': at, 'pictures': {}}
    project.change({'pictures': {'b.jpg': {}}})
    changes = project.changes(at)
    assert changes['pictures'].keys() == {'b.jpg'} and 'keypoints' not in changes
    project.change({'pictures': {'b.jpg': None}})
    assert project.changes(at)['pictures'] == {'b.jpg': None}
    assert project.changes(0)['keypoints'] == KEYPOINTS


def test_a_prediction_never_replaces_what_a_person_has_checked(project):
    assert not project.add_prediction('a.jpg', lambda picture: {**picture, 'points': {}})
    assert project.picture('a.jpg')['points']
    assert project.add_prediction('b.jpg', lambda picture: {**picture, 'points': {'k1': {}}})


def test_a_file_that_another_program_has_written_is_not_overwritten(project):
    project.save()
    other = Project(project.path)
    other.change({'keypoints': KEYPOINTS[:1]})
    other.save()
    project.change({'pictures': {'b.jpg': {}}})
    with pytest.raises(InputError, match='another program'):
        project.save()
    assert Project(project.path).keypoints == KEYPOINTS[:1]


@pytest.mark.parametrize('content', ['', '{"a": 1}', '[1]', '{"fmmp_project": 2}', '{"x": NaN}'])
def test_a_file_that_is_no_project_is_named_and_left_as_it_is(tmp_path, content):
    path = tmp_path / 'project.json'
    path.write_text(content)
    with pytest.raises(InputError, match=r'project\.json is no project .* --project'):
        Project(path)
    assert path.read_text() == content
