import pickle

import numpy as np
import pytest
from fmmp.datasets.mp100.links import base_by_indices, read_links
from fmmp.datasets.mp100.mean_shape import infer_links


@pytest.mark.parametrize(
    ('links', 'first'),
    [
        ([[0, 1], [1, 2]], 0),
        ([[1, 2], [2, 4]], 1),
        ([[0, 1], [0, 2], [3, 4]], 0),  # two links speak against 1, one against 0
        ([[1, 2], [2, 3]], None),
        ([[0, 1], [3, 4]], None),
        ([], None),
    ],
)
def test_the_base_is_the_one_that_loses_fewer_links(links, first):
    base = base_by_indices(links, num_keypoints=4)
    assert (base and base.first) == first


def test_links_are_read_from_json_and_npy_alike(tmp_path):
    links = {'car': [[0, 1], [1, 2]], 7: np.array([[2, 3]])}
    np.save(tmp_path / 'links.npy', links)
    (tmp_path / 'links.json').write_text('{"car": [[0, 1], [1, 2]], "7": [[2, 3]]}')
    expected = {'car': [[0, 1], [1, 2]], '7': [[2, 3]]}
    assert read_links(tmp_path / 'links.npy') == expected
    assert read_links(tmp_path / 'links.json') == expected


class Malicious:
    def __reduce__(self):
        return (open, ('made', 'w'))


def test_an_npy_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save('links.npy', {'car': Malicious()})
    with pytest.raises(ValueError, match=r'links\.npy.*safely.*open'):
        read_links('links.npy')
    assert not (tmp_path / 'made').exists()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('links.json', b'[[0, 1]]', 'links by category'),
        ('links.json', b'{"car": [[0]]}', "category 'car'"),
        ('links.json', b'{"car": 3}', "category 'car'"),
        ('links.json', b'{', 'not JSON'),
        ('links.npy', pickle.dumps({'car': [[0, 1]]}), 'safely'),
    ],
)
def test_a_file_of_links_that_is_none_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf'{name}.*{message}'):
        read_links(tmp_path / name)


def test_a_missing_file_of_links_is_named(tmp_path):
    for name in ('links.json', 'links.npy'):
        with pytest.raises(FileNotFoundError, match=name):
            read_links(tmp_path / name)


TREE = np.array([[0, 0], [1, 0], [2, 0], [2, 1], [2, 2.2], [0, -1.1]])
LINKS = [[0, 1], [0, 5], [1, 2], [2, 3], [3, 4]]


def moved(random):
    """The tree's keypoints, turned, mirrored or not, scaled, moved and a bit off."""
    angle, scale = random.uniform(0, 2 * np.pi), random.uniform(20, 80)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([random.choice([-1, 1]), 1])
    points = TREE + random.normal(0, 0.02, TREE.shape)
    return scale * points @ turn @ mirror + random.uniform(0, 200, 2)


def test_links_are_inferred_whichever_way_the_objects_face():
    random = np.random.default_rng(0)
    keypoints = np.stack([moved(random) for _ in range(8)])
    assert infer_links(keypoints, np.ones((8, 6), bool)) == LINKS


def test_links_are_inferred_though_no_instance_shows_every_keypoint():
    random = np.random.default_rng(0)
    keypoints = np.stack([moved(random) for _ in range(12)])
    visible = np.ones((12, 6), bool)
    visible[np.arange(12), np.arange(12) % 6] = False
    keypoints[~visible] = 0
    assert infer_links(keypoints, visible) == LINKS


def test_a_keypoint_that_no_instance_shows_gets_no_link():
    random = np.random.default_rng(0)
    visible = np.ones((8, 6), bool)
    visible[:, 5] = False
    links = infer_links(np.stack([moved(random) for _ in range(8)]), visible)
    assert links == [[0, 1], [1, 2], [2, 3], [3, 4]]


def test_nothing_is_inferred_from_nothing():
    assert infer_links(np.zeros((0, 6, 2)), np.zeros((0, 6), bool)) == []
    assert infer_links(np.zeros((3, 6, 2)), np.zeros((3, 6), bool)) == []
    assert infer_links(np.zeros((1, 1, 2)), np.ones((1, 1), bool)) == []
