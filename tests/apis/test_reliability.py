import numpy as np
import pytest

from fmmp.apis.reliability import auroc, expected_calibration_error, reliability, risk_at


def test_confidences_that_are_as_often_right_as_they_say_have_no_calibration_error():
    confidence = np.repeat([0.25, 0.75], 400)
    right = np.tile([True, False, False, False, True, True, False, True], 100).reshape(100, 8)
    right = np.concatenate([right[:, :4].ravel(), right[:, 4:].ravel()])
    assert expected_calibration_error(confidence, right) == pytest.approx(0)
    assert expected_calibration_error(np.ones(800), right) == pytest.approx(0.5)


def test_auroc_is_the_share_of_pairs_in_order_and_ties_count_half():
    confidence = np.array([0.1, 0.4, 0.4, 0.9])
    assert auroc(confidence, np.array([False, False, True, True])) == pytest.approx(3.5 / 4)
    assert auroc(-confidence, np.array([False, False, True, True])) == pytest.approx(0.5 / 4)
    assert np.isnan(auroc(confidence, np.ones(4, bool)))


def test_risk_is_the_share_of_wrong_ones_among_the_most_confident():
    confidence, right = np.array([0.1, 0.8, 0.2, 0.9]), np.array([False, False, True, True])
    assert risk_at(1.0, confidence, right) == 0.5
    assert risk_at(0.25, confidence, right) == 0
    assert risk_at(0.5, confidence, right) == 0.5
    assert reliability(confidence, right)['risk@0.5'] == 0.5
