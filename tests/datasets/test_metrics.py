import numpy as np
import pytest
from fmmp.datasets import Instance
from fmmp.datasets.metrics import (
    METRICS,
    PCK_NAMES,
    THRESHOLDS,
    copy_support,
    evaluate_pairs,
    mean_metrics,
)
from mmpose.core.evaluation.top_down_eval import (
    keypoint_auc,
    keypoint_epe,
    keypoint_nme,
    keypoint_pck_accuracy,
)


def instance(index, keypoints, visible=None, box=(0, 0, 100, 50)):
    keypoints = np.array(keypoints, np.float32)
    visible = np.ones(len(keypoints), bool) if visible is None else np.array(visible)
    return Instance(index, 1, f'{index}.jpg', box, keypoints, visible)


@pytest.fixture
def many_pairs():
    """Two supports and a query of three categories, float32 and float64 predictions in turn.

    Many keypoints are not labelled, some predictions are perfect, and errors of whole pixels with
    boxes of 40 and 100 fall on the thresholds.
    """
    generator = np.random.default_rng(0)
    instances = {}
    for index in range(30):
        category = index % 3
        count = (1, 5, 17)[category]
        box = (*generator.integers(0, 50, 2), *generator.choice([20, 40, 100], 2))
        keypoints = generator.integers(0, 100, (count, 2)).astype(np.float32)
        visible = generator.random(count) < generator.choice([0.1, 0.7, 0.9])
        instances[index] = Instance(index, category, 'x.jpg', box, keypoints, visible)
    pairs, predictions = [], []
    for number in range(120):
        category = generator.integers(3)
        pairs.append((3 * generator.choice(10, 3, replace=False) + category).tolist())
        target = instances[pairs[-1][-1]].keypoints
        error = generator.integers(-20, 21, target.shape) * generator.choice([0, 0.33, 1])
        predictions.append((target + error).astype((np.float32, np.float64)[number % 2]))
    return pairs, predictions, instances


def mmpose_scores(prediction, target, counts, side):
    """The scores of a pose (K_c, 2) by MMPose's functions."""
    pose = prediction[None], target[None], counts[None]
    sides = np.full((1, 2), side, np.float64)
    pck = [keypoint_pck_accuracy(*pose, threshold, sides)[1] for threshold in THRESHOLDS]
    return {
        **dict(zip(PCK_NAMES, pck, strict=True)),
        'mPCK': sum(pck) / 4,
        'NME': keypoint_nme(*pose, sides),
        'AUC': keypoint_auc(*pose, side),
        'EPE': keypoint_epe(*pose),
    }


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
    scores = evaluate_pairs([[0, 1]], [np.array([[22.0, 10.0]])], instances)
    expected = {'PCK@0.05': 0, 'PCK@0.1': 0, 'PCK@0.15': 1, 'PCK@0.2': 1, 'mPCK': 0.5, 'EPE': 12}
    assert {name: scores[name].tolist() for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert scores['NME'] == pytest.approx([0.12])
    assert scores['AUC'] == pytest.approx([17 / 20])


def test_a_keypoint_counts_where_query_and_every_support_label_it():
    keypoints = [[10, 10], [20, 20], [30, 30]]
    instances = {
        0: instance(0, keypoints, [True, True, False]),
        1: instance(1, keypoints, [True, False, True]),
        2: instance(2, keypoints),
    }
    wrong_where_it_does_not_count = np.array([[10, 10], [99, 99], [99, 99]])
    scores = evaluate_pairs([[0, 1, 2]], [wrong_where_it_does_not_count], instances)
    assert (scores['mPCK'], scores['EPE']) == (1, 0)


def test_a_pair_without_a_common_keypoint_scores_zero_and_not_nan():
    instances = {0: instance(0, [[1, 1]], [False]), 1: instance(1, [[1, 1]])}
    scores = evaluate_pairs([[0, 1]], [np.array([[np.nan, np.inf]])], instances)
    assert {name: values.tolist() for name, values in scores.items()} == {
        name: [0] for name in METRICS
    }


def test_scores_are_those_of_mmposes_functions_pair_by_pair(many_pairs):
    pairs, predictions, instances = many_pairs
    scores = evaluate_pairs(pairs, predictions, instances)
    counting = set()
    for row, ((*supports, query), prediction) in enumerate(zip(pairs, predictions, strict=True)):
        counts = np.all([instances[number].visible for number in (*supports, query)], axis=0)
        counting.add(counts.sum())
        expected = mmpose_scores(
            prediction, instances[query].keypoints, counts, max(instances[query].box[2:])
        )
        for name, value in expected.items():
            found = scores[name][row]
            if 'PCK' in name:
                assert found == value
            else:  # MMPose sums in float32
                assert found == pytest.approx(value, rel=1e-6, abs=1e-12)
    assert {0, 1} < counting  # pairs without, and with a single, keypoint that counts are there


def test_pairs_score_the_same_in_any_order(many_pairs):
    pairs, predictions, instances = many_pairs
    order = np.random.default_rng(1).permutation(len(pairs))
    scores = evaluate_pairs(pairs, predictions, instances)
    shuffled = evaluate_pairs(
        [pairs[row] for row in order], [predictions[row] for row in order], instances
    )
    for name in METRICS:
        assert (shuffled[name] == scores[name][order]).all()
    copied = copy_support(pairs, instances)
    for row, points in zip(order, copy_support([pairs[r] for r in order], instances), strict=True):
        assert (points == copied[row]).all()


def test_a_pair_without_a_prediction_is_an_error():
    with pytest.raises(ValueError, match='0 predictions for 1 pairs'):
        evaluate_pairs([[0, 1]], [], {})


def test_copying_puts_keypoints_at_the_supports_mean_place_in_the_querys_crop():
    instances = {
        0: instance(0, [[10, 20]], box=(0, 0, 100, 100)),
        1: instance(1, [[30, 20]], box=(0, 0, 100, 100)),
        2: instance(2, [[0, 0]], box=(50, 50, 200, 200)),
    }
    (copied,) = copy_support([[0, 1, 2]], instances)
    np.testing.assert_allclose(copied, [[50 + 2 * 20, 50 + 2 * 20]], atol=1e-3)
