"""Metrics of predicted keypoints, all pairs at once, and the floor of copying the supports."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .annotations import Instance
from .crop import center_and_scale, crop_keypoints, crop_transform, to_image

THRESHOLDS = (0.05, 0.1, 0.15, 0.2)
PCK_NAMES = tuple(f'PCK@{threshold}' for threshold in THRESHOLDS)
METRICS = (*PCK_NAMES, 'mPCK', 'mAP', 'NME', 'AUC', 'EPE')
AUC_STEPS = 20


def evaluate_pairs(
    pairs: Sequence[Sequence[int]],
    predictions: Sequence[np.ndarray],
    instances: Mapping[int, Instance],
) -> dict[str, np.ndarray]:
    """Compute the metrics of every pair, as MMPose 0.29 defines them.

    The keypoints that count are those labelled in the query and in all its supports; distances are
    divided by the longer side of the query's box (EPE: left in pixels). PCK@t is the share of
    distances below t, mPCK its mean over the four thresholds, AUC its mean over t = 0, 0.05, …,
    0.95; NME and EPE are mean distances. A pair without a keypoint that counts scores 0 throughout.

    Args:
        pairs: ``[support, …, query]``, numbers of instances, as many supports in each.
        predictions: for every pair, the query's keypoints (K_c, 2) in image pixels.
        instances: the instances by number.

    Returns:
        For each of ``METRICS`` the pairs' scores (P,), float64.

    Raises:
        ValueError: there are more pairs than predictions, or fewer.
    """
    if len(pairs) != len(predictions):
        raise ValueError(f'{len(predictions)} predictions for {len(pairs)} pairs')
    scores = {name: np.empty(len(pairs)) for name in METRICS}
    for rows, members, pair in _by_category(pairs, instances):
        query = pair[:, -1]
        visible = np.stack([member.visible for member in members])
        of_category = _pose_metrics(
            np.stack([predictions[row] for row in rows]),
            np.stack([member.keypoints for member in members])[query],
            visible[pair].all(axis=1),
            np.array([max(member.box[2:]) for member in members], np.float64)[query],
        )
        for name, values in of_category.items():
            scores[name][rows] = values
    return scores


def _pose_metrics(
    prediction: np.ndarray, target: np.ndarray, counts: np.ndarray, side: np.ndarray
) -> dict[str, np.ndarray]:
    """Compare poses (P, K, 2) with their targets; counts (P, K) bool, side (P,) in pixels.

    Distances are float32, and compared as such, since MMPose's are.
    """
    error = prediction - target
    pixels = np.linalg.norm(error, axis=-1).astype(np.float32)
    distance = np.linalg.norm(error / side[:, None, None], axis=-1).astype(np.float32)
    number = np.maximum(counts.sum(axis=1), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return values.sum(axis=1, where=counts, dtype=np.float64) / number

    def pck(threshold: float) -> np.ndarray:
        return mean(distance < threshold)

    at_thresholds = [pck(threshold) for threshold in THRESHOLDS]
    mean_pck = sum(at_thresholds) / len(THRESHOLDS)
    return {
        **dict(zip(PCK_NAMES, at_thresholds, strict=True)),
        'mPCK': mean_pck,
        'mAP': mean_pck,  # the name that the released code gives it
        'NME': mean(distance),
        'AUC': sum(pck(step / AUC_STEPS) for step in range(AUC_STEPS)) / AUC_STEPS,
        'EPE': mean(pixels),
    }


def mean_metrics(scores: Mapping[str, np.ndarray]) -> OrderedDict[str, float]:
    """Average the metrics of pairs, which `evaluate_pairs` gives."""
    return OrderedDict((name, float(np.mean(scores[name]))) for name in METRICS)


def copy_support(
    pairs: Sequence[Sequence[int]], instances: Mapping[int, Instance]
) -> list[np.ndarray]:
    """Predict every query's keypoints by copying: the floor that a method has to beat.

    A keypoint's prediction is the mean over the supports of its place in their crops, put at that
    place of the query's crop.

    Args:
        pairs: ``[support, …, query]``, numbers of instances, as many supports in each.
        instances: the instances by number.

    Returns:
        For every pair, the query's keypoints (K_c, 2) in image pixels.
    """
    predictions = [None] * len(pairs)
    for rows, members, pair in _by_category(pairs, instances):
        crops = [center_and_scale(member.box) for member in members]
        in_crop = np.stack(
            [
                crop_keypoints(member.keypoints, member.visible, crop_transform(*crop, 1), 1)[0]
                for member, crop in zip(members, crops, strict=True)
            ]
        )
        center, scale = (np.stack(values)[pair[:, -1], None] for values in zip(*crops, strict=True))
        copied = to_image(in_crop[pair[:, :-1]].mean(axis=1), center, scale)
        for row, points in zip(rows, copied, strict=True):
            predictions[row] = points
    return predictions


def _by_category(
    pairs: Sequence[Sequence[int]], instances: Mapping[int, Instance]
) -> Iterator[tuple[np.ndarray, list[Instance], np.ndarray]]:
    """Part pairs by their queries' category, within which instances have K_c keypoints each.

    Yields:
        Which pairs are the category's (P_c,), the instances that occur in them, and the pairs again
        (P_c, S + 1), as positions in that list.
    """
    pairs = np.asarray(pairs)
    category = np.array([instances[query].category_id for query in pairs[:, -1].tolist()])
    for id_ in np.unique(category):
        (rows,) = np.nonzero(category == id_)
        numbers, positions = np.unique(pairs[rows], return_inverse=True)
        members = [instances[number] for number in numbers.tolist()]
        yield rows, members, positions.reshape(len(rows), -1)
