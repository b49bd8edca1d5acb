"""Metrics of predicted keypoints, pair by pair, and the floor of copying the supports."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from .annotations import Instance
from .crop import center_and_scale, crop_keypoints, crop_transform, to_image

THRESHOLDS = (0.05, 0.1, 0.15, 0.2)
PCK_NAMES = tuple(f'PCK@{threshold}' for threshold in THRESHOLDS)
METRICS = (*PCK_NAMES, 'mPCK', 'mAP', 'NME', 'AUC', 'EPE')


def evaluate_pairs(
    pairs: Sequence[Sequence[int]],
    predictions: Sequence[np.ndarray],
    instances: Mapping[int, Instance],
) -> list[dict[str, float]]:
    """Compute the metrics of every pair.

    The keypoints that count are those labelled in the query and in all its supports; distances are
    divided by the longer side of the query's box (EPE: left in pixels). PCK@t is the share of
    distances below t, mPCK its mean over the four thresholds; a pair without a keypoint that counts
    scores 0 throughout.

    Args:
        pairs: ``[support, …, query]``, numbers of instances.
        predictions: for every pair, the query's keypoints (K_c, 2) in image pixels.
        instances: the instances by number.

    Returns:
        For every pair, a number for each of ``METRICS``.
    """
    results = []
    for (*supports, query), prediction in zip(pairs, predictions, strict=True):
        query = instances[query]
        counts = query.visible & np.all([instances[s].visible for s in supports], axis=0)
        results.append(
            _pose_metrics(
                np.asarray(prediction)[counts], query.keypoints[counts], max(query.box[2:])
            )
        )
    return results


def _pose_metrics(prediction: np.ndarray, target: np.ndarray, side: float) -> dict[str, float]:
    """Compare n keypoints (n, 2) with their targets by MMPose's functions."""
    from mmpose.core.evaluation.top_down_eval import (
        keypoint_auc,
        keypoint_epe,
        keypoint_nme,
        keypoint_pck_accuracy,
    )

    # MMPose loops over keypoints and vectorises over a batch of poses: the n keypoints go in as n
    # poses of one keypoint each, which makes the same numbers in a fraction of the time.
    poses = prediction[:, None], target[:, None], np.ones((len(target), 1), bool)
    sides = np.full((len(target), 2), side, np.float64)
    pck = [float(keypoint_pck_accuracy(*poses, threshold, sides)[1]) for threshold in THRESHOLDS]
    mean = sum(pck) / len(pck)
    return {
        **dict(zip(PCK_NAMES, pck, strict=True)),
        'mPCK': mean,
        'mAP': mean,  # the name that the released code gives it
        'NME': float(keypoint_nme(*poses, sides)),
        'AUC': float(keypoint_auc(*poses, side)),
        'EPE': float(keypoint_epe(*poses)),
    }


def mean_metrics(results: Sequence[Mapping[str, float]]) -> OrderedDict[str, float]:
    """Average the metrics of pairs."""
    return OrderedDict((name, float(np.mean([x[name] for x in results]))) for name in METRICS)


def copy_support(
    pairs: Sequence[Sequence[int]], instances: Mapping[int, Instance]
) -> list[np.ndarray]:
    """Predict every query's keypoints by copying: the floor that a method has to beat.

    A keypoint's prediction is the mean over the supports of its place in their crops, put at that
    place of the query's crop.

    Returns:
        For every pair, the query's keypoints (K_c, 2) in image pixels.
    """
    in_crop = {}
    for number in {support for *supports, _ in pairs for support in supports}:
        instance = instances[number]
        transform = crop_transform(*center_and_scale(instance.box), 1)
        in_crop[number], _ = crop_keypoints(instance.keypoints, instance.visible, transform, 1)
    return [
        to_image(
            np.mean([in_crop[support] for support in supports], axis=0),
            *center_and_scale(instances[query].box),
        )
        for *supports, query in pairs
    ]
