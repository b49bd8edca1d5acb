import numpy as np
import pytest
from fmmp.datasets import Instance
from fmmp.datasets.metrics import METRICS, copy_support, evaluate_pairs, mean_metrics


def instance(index, keypoints, visible=None, box=(0, 0, 100, 50)):
    keypoints = np.array(keypoints, np.float32)
    visible = np.ones(len(keypoints), bool) if visible is None else np.array(visible)
    return Instance(index, 1, f'{index}.jpg', box, keypoints, visible)


def test_metrics_equal_the_recorded_ones(golden):
    recorded = golden('crop_and_metrics.json')
    instances = {}
    for index, case in enumerate(recorded['cases']):
        annotated = np.array(case['keypoints'])
        box = case['expected']['clean_bbox']
        instances[index] = instance(index, annotated[:, :2], annotated[:, 2] > 0, box)
    predictions = [np.array(prediction) for prediction in recorded['predictions']]
    metrics = mean_metrics(evaluate_pairs(recorded['pairs'], predictions, instances))
    for name, value in recorded['metrics'].items():
        assert metrics[name] == pytest.approx(value, rel=1e-5), name
    assert metrics['mAP'] == metrics['mPCK']


def test_an_error_counts_against_the_longer_side_of_the_querys_box():
    instances = {0: instance(0, [[0, 0]]), 1: instance(1, [[10, 10]])}
    (scores,) = evaluate_pairs([[0, 1]], [np.array([[22.0, 10.0]])], instances)
    expected = {'PCK@0.05': 0, 'PCK@0.1': 0, 'PCK@0.15': 1, 'PCK@0.2': 1, 'mPCK': 0.5, 'EPE': 12}
    assert {name: scores[name] for name in expected} == expected
    assert scores['NME'] == pytest.approx(0.12)
    assert scores['AUC'] == pytest.approx(17 / 20)


def test_a_keypoint_counts_where_query_and_every_support_label_it():
    keypoints = [[10, 10], [20, 20], [30, 30]]
    instances = {
        0: instance(0, keypoints, [True, True, False]),
        1: instance(1, keypoints, [True, False, True]),
        2: instance(2, keypoints),
    }
    wrong_where_it_does_not_count = np.array([[10, 10], [99, 99], [99, 99]])
    (scores,) = evaluate_pairs([[0, 1, 2]], [wrong_where_it_does_not_count], instances)
    assert (scores['mPCK'], scores['EPE']) == (1, 0)


def test_a_pair_without_a_common_keypoint_scores_zero_and_not_nan():
    instances = {0: instance(0, [[1, 1]], [False]), 1: instance(1, [[1, 1]])}
    (scores,) = evaluate_pairs([[0, 1]], [np.array([[1.0, 1.0]])], instances)
    assert scores == dict.fromkeys(METRICS, 0.0)


def test_copying_puts_keypoints_at_the_supports_mean_place_in_the_querys_crop():
    instances = {
        0: instance(0, [[10, 20]], box=(0, 0, 100, 100)),
        1: instance(1, [[30, 20]], box=(0, 0, 100, 100)),
        2: instance(2, [[0, 0]], box=(50, 50, 200, 200)),
    }
    (copied,) = copy_support([[0, 1, 2]], instances)
    np.testing.assert_allclose(copied, [[50 + 2 * 20, 50 + 2 * 20]], atol=1e-3)
