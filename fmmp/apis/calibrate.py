"""Calibrating a model: evidence and errors of drawn episodes, fitted and judged by category."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmcv import Config
from torch import nn

from fmmp.datasets.annotations import Instance
from fmmp.errors import InputError

from .calibration import TOLERANCE, Calibration
from .data import build_dataset
from .estimator import Estimator
from .reliability import reliability
from .support import Support


@dataclass(frozen=True, eq=False)
class Judged:
    """Keypoints that a model has found, with their truth.

    Attributes:
        evidence: by name, (N,).
        right: (N,) bool, whether the query shows the keypoint and the error is below 0.1.
        shown: (N,) bool, whether the query shows it.
        category: (N,) int, whose keypoint it is.
    """

    evidence: dict[str, np.ndarray]
    right: np.ndarray
    shown: np.ndarray
    category: np.ndarray

    def of(self, rows: np.ndarray) -> Judged:
        """Some of them, rows (N,) bool."""
        evidence = {name: values[rows] for name, values in self.evidence.items()}
        return Judged(evidence, self.right[rows], self.shown[rows], self.category[rows])


def judge(
    model: nn.Module,
    config: Config,
    subset: str,
    num_episodes: int = 6,
    num_queries: int = 5,
    shots: Sequence[int] = (1, 2, 3, 5),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Estimate drawn episodes of a data set, and compare with its annotations.

    What counts are the keypoints that a support shows. One that the query does not show has no
    right answer: whatever is found is wrong.

    Args:
        model: of `init_model`.
        config: whose data set is meant.
        subset: ``train``, ``val`` or ``test``.
        num_episodes: episodes a category.
        num_queries: queries an episode, fewer where a category has too few instances.
        shots: the numbers of supports, of which each episode draws one.
        seed: of the draws.
        progress: called with the numbers of episodes done and to do.

    Raises:
        InputError: there is no such subset, or no category of it has two instances.
    """
    if config.data.get(subset) is None:
        raise InputError(f'data.{subset} is missing: name a subset that the config has')
    one = {'num_shots': 1, 'num_queries': 1, 'num_episodes': 1, 'allow_missing': True}
    data = {**config.data, subset: {**config.data[subset], **one}}
    dataset = build_dataset(Config({'data': data}), subset)
    instances, generator = dataset.instances, random.Random(seed)
    numbers = {c: n for c, n in dataset.instances_by_category.items() if len(n) > 1}
    if not numbers:
        raise InputError(f'data.{subset}: no category has two instances')
    rows, done = [], 0
    for category, members in numbers.items():
        skeleton = dataset.categories[category].skeleton
        for _ in range(num_episodes):
            count = min(generator.choice(shots), len(members) - 1)
            drawn = generator.sample(members, min(count + num_queries, len(members)))
            drawn = [instances[number] for number in drawn]
            files = [str(Path(dataset.img_prefix, one.image)) for one in drawn]
            supports = [
                Support(file, one.keypoints, one.visible, skeleton, _annotated_box(one))
                for file, one in zip(files[:count], drawn[:count], strict=True)
                if one.visible.any()
            ]
            if supports:
                poses = Estimator(model, supports)(
                    files[count:], [_annotated_box(query) for query in drawn[count:]]
                )
                known = np.any([support.visible for support in supports], axis=0)
                for query, pose in zip(drawn[count:], poses, strict=True):
                    error = np.linalg.norm(pose.keypoints - query.keypoints, axis=-1)
                    near = error < TOLERANCE * max(query.box[2:])
                    values = np.stack([*pose.evidence.values()], axis=-1)
                    table = np.column_stack([near & query.visible, query.visible, values])
                    rows.append((category, table[known]))
                    names = list(pose.evidence)
            done += 1
            if progress:
                progress(done, num_episodes * len(numbers))
    table = np.concatenate([values for _, values in rows])
    return Judged(
        dict(zip(names, table[:, 2:].T, strict=True)),
        table[:, 0] > 0,
        table[:, 1] > 0,
        np.concatenate([np.full(len(values), category) for category, values in rows]),
    )


def _annotated_box(instance: Instance) -> tuple[float, float, float, float]:
    """The box of which cleaning, which takes a pixel off, makes the instance's."""
    x, y, width, height = instance.box
    return x, y, width + 1, height + 1


def held_out(judged: Judged, seed: int, folds: int = 4) -> np.ndarray:
    """Confidences (N,) of calibrations that were fitted without the keypoint's category.

    Args:
        judged: what `judge` gave.
        seed: of the division of the categories.
        folds: parts, each left out once; fewer where there are fewer categories.

    Raises:
        InputError: there is one category only.
    """
    categories = np.random.default_rng(seed).permutation(np.unique(judged.category))
    if len(categories) < 2:
        raise InputError('with one category only, none can be left out')
    confidence = np.empty(len(judged.right))
    for fold in np.array_split(categories, min(folds, len(categories))):
        left_out = np.isin(judged.category, fold)
        rest = judged.of(~left_out)
        confidence[left_out] = Calibration.fit(rest.evidence, rest.right)(
            judged.of(left_out).evidence
        )
    return confidence


def measure(judged: Judged, confidences: Sequence[np.ndarray]) -> dict[str, dict[str, float]]:
    """The reliability of confidences, means over several of them.

    Args:
        judged: what `judge` gave.
        confidences: (N,) each, such as one a seed.

    Returns:
        ``all`` keypoints, and those that the query has ``shown``; see `reliability`.
    """
    report = {}
    for name, rows in (('all', np.ones(len(judged.right), bool)), ('shown', judged.shown)):
        measured = [reliability(c[rows], judged.right[rows]) for c in confidences]
        report[name] = {key: float(np.mean([m[key] for m in measured])) for key in measured[0]}
    return report
