"""Keypoints' scores by occlusion, by their nearest visible reference, and by K."""

import json
import runpy

import numpy as np
import pytest
from fmmp.datasets.annotations import Category, Instance, load_annotations

from fmmp.analysis.breakdown import format_breakdown, keypoints_of
from fmmp.errors import InputError
from tests.tiny import ROOT, tiny_config

BOX = (0.0, 0.0, 100.0, 50.0)
POINTS = np.array([[0, 0], [5, 0], [40, 0], [90, 0]], np.float32)


def instance(index, visible=(1, 1, 1, 1), occluded=(0, 0, 0, 0)):
    return Instance(
        index, 1, f'{index}.jpg', BOX, POINTS, np.array(visible, bool), np.array(occluded, bool)
    )


def keypoints(support, query, prediction=POINTS):
    category = Category(1, 'line', 4, [(0, 1), (1, 2), (2, 3)])
    return keypoints_of([[0, 1]], [prediction], {0: support, 1: query}, {1: category})


def test_distances_are_in_longer_sides_of_the_box():
    found = keypoints(instance(0), instance(1), POINTS + np.array([3, 4], np.float32))
    assert [one.error for one in found] == pytest.approx([0.05] * 4)
    assert [one.reference_distance for one in found] == pytest.approx([0.05, 0.05, 0.35, 0.5])


def test_only_what_support_and_query_show_counts_and_is_a_reference():
    found = keypoints(instance(0, (1, 0, 1, 1)), instance(1, (1, 1, 1, 1)))
    assert [one.reference_distance for one in found] == [None, 0.5, 0.5]
    found = keypoints(instance(0), instance(1, (1, 1, 1, 0)))
    assert [one.reference_distance for one in found] == pytest.approx([0.05, 0.05, 0.35])


def test_results_of_other_data_are_refused():
    category = Category(1, 'line', 4, [(0, 1)])
    with pytest.raises(InputError, match='instance 7, which the data lack'):
        keypoints_of([[0, 7]], [POINTS], {0: instance(0)}, {1: category})


def test_the_table_counts_the_keypoints_of_each_group():
    prediction = POINTS + np.array([[0, 0], [0, 0], [7, 0], [30, 0]], np.float32)
    table = format_breakdown(
        keypoints(instance(0), instance(1, occluded=(0, 0, 0, 1)), prediction), 'csv'
    )
    rows = dict(line.split(',', 1) for line in table.splitlines())
    assert rows['all'] == '4,50.0,75.0,75.0'
    assert rows['hidden in the query'] == '1,0.0,0.0,0.0'
    assert rows['nearest visible reference: below 0.1'] == '2,100.0,100.0,100.0'
    assert rows['K of the category: below 10'] == rows['all']
    assert 'no visible reference' not in rows


def test_annotations_tell_what_an_image_hides(tmp_path):
    content = {
        'images': [{'id': 1, 'file_name': 'a.jpg', 'width': 9, 'height': 9}],
        'categories': [
            {'id': 1, 'name': 'pair', 'keypoints': ['a', 'b', 'c'], 'skeleton': [[0, 1]]}
        ],
        'annotations': [
            {
                'id': 1,
                'image_id': 1,
                'category_id': 1,
                'bbox': [0, 0, 8, 8],
                'keypoints': [1, 1, 1, 2, 2, 2, 0, 0, 0],
                'num_keypoints': 2,
                'iscrowd': 0,
            }
        ],
    }
    (tmp_path / 'a.json').write_text(json.dumps(content))
    (found,) = load_annotations(tmp_path / 'a.json')[1].values()
    assert found.occluded.tolist() == [True, False, False]
    assert found.visible.tolist() == [True, True, False]


def test_results_on_other_pairs_are_refused(small_dataset, tmp_path, monkeypatch):
    tiny_config(small_dataset).dump(str(tmp_path / 'tiny.py'))
    results = tmp_path / 'results.json'
    results.write_text(json.dumps({'pairs': [[0, 1]], 'predictions': [[]], 'pair_scores': {}}))
    monkeypatch.syspath_prepend(tmp_path)  # a script takes its folder off
    monkeypatch.setattr('sys.argv', ['breakdown.py', str(tmp_path / 'tiny.py'), str(results)])
    with pytest.raises(SystemExit, match='results.json: tested on other pairs'):
        runpy.run_path(str(ROOT / 'tools/analysis/breakdown.py'), run_name='__main__')
