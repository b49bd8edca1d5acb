"""Calibration: from the evidence for a keypoint to the probability that it is right.

Right is a keypoint that the query shows, with an error below 0.1 of the longer side of the query's
box, the side that PCK divides by. Its probability is a logistic regression on the evidence,

    P(right) = σ(b + Σ_i w_i (e_i - μ_i) / s_i),

fitted after the fact to a model whose points it does not move. It is stored as plain numbers beside
the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmcv import Config
from scipy.special import expit

from fmmp.errors import InputError
from fmmp.files import write_json

from .data import data_settings
from .starter import STARTER, is_trained, matching_config, starter_config, starter_file

TOLERANCE = 0.1  # of the longer side of the box: what is nearer is right
SUFFIX = '.calibration.json'


@dataclass(frozen=True)
class Calibration:
    """A logistic regression on evidence.

    Attributes:
        mean, scale, weight: μ_i, s_i and w_i, by the evidence's name.
        bias: b.
        checkpoint: SHA-256 of the checkpoint's file; None of a model without.
        notes: what it was fitted to, and how it did on what was left out; nothing depends on it.
    """

    mean: Mapping[str, float]
    scale: Mapping[str, float]
    weight: Mapping[str, float]
    bias: float
    checkpoint: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(
        cls, evidence: Mapping[str, np.ndarray], right: np.ndarray, **others: Any
    ) -> Calibration:
        """Fit to keypoints by Newton's method, with a Gaussian prior of unit width on w.

        Args:
            evidence: by name, (N,).
            right: (N,) bool.
            others: ``checkpoint`` and ``notes``.
        """
        names = list(evidence)
        values = np.stack([evidence[name] for name in names], axis=-1).astype(np.float64)
        mean, scale = values.mean(0), values.std(0)
        scale = np.where(scale > 1e-5, scale, 1.0)  # constant, as one layer's step: no weight
        design = np.column_stack([(values - mean) / scale, np.ones(len(values))])
        prior = np.diag([1.0] * len(names) + [1e-3])  # b's is all but flat
        weights = np.zeros(len(names) + 1)
        for _ in range(30):
            found = expit(design @ weights)
            slope = design.T @ (found - right) + prior @ weights
            curve = (design.T * (found * (1 - found) + 1e-9)) @ design + prior
            step = np.linalg.solve(curve, slope)
            weights -= step
            if np.abs(step).max() < 1e-9:
                break

        def named(numbers: np.ndarray) -> dict[str, float]:
            return dict(zip(names, numbers.round(6).tolist(), strict=True))

        return cls(
            named(mean), named(scale), named(weights[:-1]), round(float(weights[-1]), 6), **others
        )

    def __call__(self, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
        """P(right) of evidence, whatever its shape.

        Raises:
            InputError: some that it weighs is not there.
        """
        missing = sorted(self.weight.keys() - evidence.keys())
        if missing:
            raise InputError(
                f'the calibration weighs {", ".join(missing)}, which the model does not give: '
                'calibrate it anew, tools/calibrate.py'
            )
        logit = self.bias + sum(
            weight * (evidence[name] - self.mean[name]) / self.scale[name]
            for name, weight in self.weight.items()
        )
        return expit(logit)

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        write_json(asdict(self), path)

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what `save` wrote.

        Raises:
            InputError: it is something else.
        """
        try:
            calibration = cls(**json.loads(Path(path).read_text(encoding='utf-8')))
            parts = (calibration.mean, calibration.scale, calibration.weight)
            if len({frozenset(part) for part in parts}) > 1:
                raise ValueError('mean, scale and weight differ in their names')
            numbers = [calibration.bias, *(value for part in parts for value in part.values())]
            if not np.isfinite(np.array(numbers, float)).all():
                raise ValueError('a number is not finite')
            if min(calibration.scale.values(), default=1) <= 0:
                raise ValueError('a scale is not above 0')
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f'{path}: no calibration ({error}): write it anew, tools/calibrate.py'
            ) from error
        return calibration


def uncalibrated(evidence: Mapping[str, np.ndarray]) -> np.ndarray:
    """A score in [0, 1] without calibration: how much of the match lies at the answer, and back."""
    return expit((evidence['there'] + evidence['back']) / 2)


def calibration_file(config: Config, checkpoint: str | Path | None) -> Path | None:
    """Where a model's calibration is stored: beside the checkpoint, or the config without one.

    A config with the model and size of images of the starter, or of matching without training, has
    that one's.

    Args:
        config: the config, as it was before ``starter`` was resolved or after.
        checkpoint: the checkpoint, ``starter``, or None.

    Returns:
        The path; None of a trained method without a checkpoint, or a config without a file.
    """
    if str(checkpoint) == STARTER:
        return starter_file().with_suffix(SUFFIX)
    if checkpoint is not None:
        return Path(checkpoint).resolve().with_suffix(SUFFIX)
    if is_trained(config):
        return None
    for own in (starter_config(), matching_config()):
        if _is_alike(config, own):
            return Path(own.filename).with_suffix(SUFFIX)
    return Path(config.filename).with_suffix(SUFFIX) if config.filename else None


def _is_alike(config: Config, own: Config) -> bool:
    both = [one for one in (config, own) if one.get('data', {}).get('test')]
    return config.model == own.model and len({data_settings(one).image_size for one in both}) == 1


def find_calibration(config: Config, checkpoint: str | Path | None) -> Calibration | None:
    """A model's calibration, if it has one; warns of one that was fitted to another checkpoint.

    Raises:
        InputError: its file holds something else.
    """
    path = calibration_file(config, checkpoint)
    if path is None or not path.is_file():
        return None
    calibration = Calibration.load(path)
    if str(checkpoint) != STARTER and calibration.checkpoint != digest(checkpoint):
        warnings.warn(
            f'{path} was fitted to another checkpoint and is left out: calibrate this one, '
            'tools/calibrate.py',
            stacklevel=3,
        )
        return None
    return calibration


def digest(checkpoint: str | Path | None) -> str | None:
    """SHA-256 of a checkpoint's file; None without one, as of the starter."""
    if checkpoint is None or str(checkpoint) == STARTER:
        return None
    sha = hashlib.sha256()
    with open(checkpoint, 'rb') as file:
        while part := file.read(1 << 20):
            sha.update(part)
    return sha.hexdigest()
