"""How far confidences can be relied on: calibration, and how well they tell right from wrong."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

COVERAGES = (1.0, 0.8, 0.5)


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """The mean distance between confidence and the share that is right, over bins of confidence.

    Args:
        confidence: (N,) in [0, 1].
        right: (N,) bool.
        bins: equally wide ones, each of which counts by the share of N in it.
    """
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    excess = np.bincount(number, confidence - right, bins)
    return float(np.abs(excess).sum() / len(confidence))


def auroc(confidence: np.ndarray, right: np.ndarray) -> float:
    """The probability that a right one has more confidence than a wrong one; ties count half.

    It is NaN where all are right or all are wrong.
    """
    positive = int(right.sum())
    negative = len(right) - positive
    if not positive or not negative:
        return float('nan')
    ranks = rankdata(confidence)[right].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def risk_at(coverage: float, confidence: np.ndarray, right: np.ndarray) -> float:
    """The share of wrong ones among the most confident.

    Args:
        coverage: how many are kept, as a share of all.
        confidence: (N,).
        right: (N,) bool.
    """
    kept = np.argsort(-confidence, kind='stable')[: max(1, round(coverage * len(right)))]
    return float(1 - right[kept].mean())


def reliability(confidence: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """All of it: ``keypoints``, ``right``, ``ECE``, ``AUROC`` and ``risk@COVERAGE``."""
    return {
        'keypoints': len(right),
        'right': float(right.mean()),
        'ECE': expected_calibration_error(confidence, right),
        'AUROC': auroc(confidence, right),
        **{f'risk@{coverage}': risk_at(coverage, confidence, right) for coverage in COVERAGES},
    }
