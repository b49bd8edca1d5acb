"""Evidence of several trainings in one setting: scores by episode, kept small, and differences.

`tools/test.py --out` writes megabytes; what a table and its intervals need are the means over each
episode's pairs, which a few kilobytes a training hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from fmmp.errors import InputError
from fmmp.files import write_json
from fmmp.sweep import FLOORS, Sweep

from .comparison import CONFIDENCE, read_results

KEPT = ('PCK@0.05', 'PCK@0.1', 'PCK@0.2', 'mPCK')


@dataclass(frozen=True)
class Evidence:
    """The scores of several rows on the same episodes.

    Attributes:
        pairs: a digest of the pairs, which all of them share.
        categories: C names.
        scores: by row, seed and metric, means over the pairs of an episode, in percent: (C, E).
        floors: by name and metric, the scores of what needs no training, by category: (C,).
    """

    pairs: str
    categories: list[str]
    scores: dict[str, dict[str, dict[str, np.ndarray]]]
    floors: dict[str, dict[str, np.ndarray]]

    def seeds(self, *rows: str) -> list[str]:
        """The seeds that all of these rows have, in order.

        Raises:
            InputError: there is no such row.
        """
        for row in rows:
            if row not in self.scores:
                raise InputError(f'no evidence of {row!r}: there is {", ".join(self.scores)}')
        return sorted(set.intersection(*(set(self.scores[row]) for row in rows)), key=int)

    def of(self, row: str, metric: str, seeds: Sequence[str] | None = None) -> np.ndarray:
        """A row's scores: (seeds, C, E), of all its seeds or of these.

        Raises:
            InputError: there is no such row.
        """
        return np.stack([self.scores[row][one][metric] for one in seeds or self.seeds(row)])


@dataclass(frozen=True)
class Estimate:
    """A mean and the half width of its 95 % interval, in percent; NaN where there is none."""

    mean: float
    half_width: float


def estimate(scores: np.ndarray) -> Estimate:
    """The mean over categories of what other seeds and other episodes would score.

    With s² the variance of the S seeds' means, and v_c that of the E episodes of category c (means
    over the seeds), the interval's half width is

        √( t² s² / S  +  u² Σ_c v_c / E / C² ),

    t and u being Student's with S - 1 and C (E - 1) degrees of freedom. One seed says nothing of
    others: the interval is over episodes alone.

    Args:
        scores: (S, C, E), or differences of two rows' on the same episodes.
    """
    seeds, categories, episodes = scores.shape
    tail = (1 + CONFIDENCE) / 2
    of_episodes = scores.mean(0).var(-1, ddof=1).sum() / episodes / categories**2
    squared = stats.t.ppf(tail, categories * (episodes - 1)) ** 2 * of_episodes
    if seeds > 1:
        of_seeds = scores.mean((1, 2)).var(ddof=1) / seeds
        squared += stats.t.ppf(tail, seeds - 1) ** 2 * of_seeds
    return Estimate(float(scores.mean()), float(np.sqrt(squared)))


def difference(evidence: Evidence, row: str, other: str, metric: str) -> Estimate | None:
    """How much one row scores above another on the same episodes, seed by seed.

    Seeds that only one of them has are left out; None where they share none.

    Raises:
        InputError: there is no such row.
    """
    seeds = evidence.seeds(row, other)
    if not seeds:
        return None
    return estimate(evidence.of(row, metric, seeds) - evidence.of(other, metric, seeds))


def collect(sweep: Sweep) -> Evidence:
    """Gather what of a sweep is finished.

    Raises:
        InputError: nothing is, or not all on the same pairs.
    """
    runs = [run for run in sweep.runs if run.results.exists()]
    if not runs:
        raise InputError('nothing of the sweep is finished: run tools/sweep.py')
    first = read_results(runs[0].results)
    scores: dict = {run.row: {} for run in sweep.runs if run in runs}
    floors: dict = {}
    for run in runs:
        results = read_results(run.results)
        if results.pairs != first.pairs:
            raise InputError(f'{run.results}: its pairs are not those of {runs[0].results}')
        scores[run.row][str(run.seed)] = {
            metric: 100 * results.episode_means(metric) for metric in KEPT
        }
        content = json.loads(run.results.read_text())
        for name, key in FLOORS.items():
            if by_category := content.get(f'{key}_per_category'):
                floors[name] = {
                    metric: 100 * np.array([by_category[c][metric] for c in first.categories])
                    for metric in KEPT
                }
    digest = hashlib.sha256(json.dumps(first.pairs).encode()).hexdigest()
    return Evidence(digest, first.categories, scores, floors)


def join(evidence: Mapping[str, Evidence]) -> Evidence:
    """Put the rows of several files together; a row's seeds may stand in several of them.

    Args:
        evidence: of the same pairs, by its file's name.

    Raises:
        InputError: the pairs are not the same, or a row's seed stands in two files.
    """
    (first, joined), *others = evidence.items()
    for file, other in others:
        if (other.pairs, other.categories) != (joined.pairs, joined.categories):
            raise InputError(f'{file}: its pairs are not those of {first}: give it its own table')
        scores = dict(joined.scores)
        for row, by_seed in other.scores.items():
            known = scores.get(row, {})
            if twice := sorted(known.keys() & by_seed.keys()):
                raise InputError(
                    f'{file}: {row!r}, seed {twice[0]}, stands in a file before it too: rename one'
                )
            scores[row] = {**known, **by_seed}
        joined = replace(
            joined,
            scores=scores,
            floors={**other.floors, **joined.floors},
        )
    return joined


def write_evidence(evidence: Evidence, path: str | Path) -> None:
    """Write it, rounded to hundredths of a percent."""

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            return np.round(value, 2).tolist()
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return value

    write_json(plain(vars(evidence)), Path(path))


def read_evidence(path: str | Path) -> Evidence:
    """Read what `write_evidence` wrote.

    Raises:
        InputError: there is no such file, or it holds something else.
    """

    def arrays(value: dict) -> dict:
        return {
            key: arrays(one) if isinstance(one, dict) else np.asarray(one, float)
            for key, one in value.items()
        }

    try:
        content = json.loads(Path(path).read_text())
        return Evidence(
            content['pairs'],
            content['categories'],
            arrays(content['scores']),
            arrays(content['floors']),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path}: no file that tools/analysis/evidence.py wrote: {error}'
        ) from error
