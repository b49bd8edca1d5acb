"""Comparing results on the same pairs: paired differences with bootstrap confidence intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmmp.errors import InputError

from .tables import format_table

CONFIDENCE = 0.95
ALL_PAIRS = 'all pairs'


@dataclass(frozen=True)
class Results:
    """What a comparison needs of a results.json.

    Attributes:
        name: how tables call it.
        categories: names, in order.
        pairs: ``[support, …, query]``, an equal number a category, in the categories' order.
        num_queries: Q, the pairs of an episode, which follow each other.
        floor: each category's mPCK of copying the support, which depends on the data alone.
        pair_scores: a list a metric, with a score a pair.
        matching: each category's metrics of matching without training, where it was scored.
    """

    name: str
    categories: list[str]
    pairs: list[list[int]]
    num_queries: int
    floor: list[float]
    pair_scores: dict[str, list[float]]
    matching: dict[str, dict[str, float]] | None = None

    def episode_means(self, metric: str) -> np.ndarray:
        """Means of a metric over the pairs of an episode: (categories, episodes)."""
        scores = np.asarray(self.pair_scores[metric], float)
        return scores.reshape(len(self.categories), -1, self.num_queries).mean(-1)


@dataclass(frozen=True)
class Row:
    """A category's, or all pairs', scores.

    Attributes:
        name: of the category.
        scores: a mean a file.
        differences: for every file after the first, its mean less the first file's.
        intervals: for each difference, the ends of its confidence interval.
        matching: the score of matching without training, where a file has it.
    """

    name: str
    scores: list[float]
    differences: list[float]
    intervals: list[tuple[float, float]]
    matching: float | None = None


def read_results(path: str | Path, name: str | None = None) -> Results:
    """Read what ``tools/test.py --out`` wrote.

    Args:
        path: the file.
        name: how tables call it; by default its folder's name, or its own unless that is
            results.json.

    Raises:
        InputError: the file is missing or no such file, or holds no scores by pair.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f'{path}: no such file: write it with tools/test.py --out') from None
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: is no readable JSON file: {error}') from error
    needed = {'pairs', 'num_queries', 'pair_scores', 'copy_support_per_category'}
    if not isinstance(content, dict) or not needed <= content.keys():
        raise InputError(
            f'{path}: holds no scores by pair: write it with tools/test.py --out of this version'
        )
    floor = content['copy_support_per_category']
    return Results(
        name or (path.resolve().parent.name if path.name == 'results.json' else path.stem),
        list(floor),
        content['pairs'],
        content['num_queries'],
        [metrics['mPCK'] for metrics in floor.values()],
        content['pair_scores'],
        content.get('matching_per_category'),
    )


def check_comparable(first: Results, other: Results) -> None:
    """Make sure that two results are of the same pairs.

    Raises:
        InputError: they are not; the message names the first difference.
    """
    files = f'{first.name!r} and {other.name!r} cannot be compared'
    advice = 'test both on the same data, with the same data.test settings'
    for one, another in ((first, other), (other, first)):
        alone = [name for name in one.categories if name not in another.categories]
        if alone:
            raise InputError(f'{files}: only {one.name!r} has {", ".join(alone)}; {advice}')
    if first.categories != other.categories:
        raise InputError(f'{files}: their categories are in another order; {advice}')
    for what, one, another in (
        ('queries an episode', first.num_queries, other.num_queries),
        ('pairs', len(first.pairs), len(other.pairs)),
        ('supports a pair', len(first.pairs[0]) - 1, len(other.pairs[0]) - 1),
    ):
        if one != another:
            raise InputError(f'{files}: {one} and {another} {what}; {advice}')
    size = len(first.pairs) // len(first.categories)
    for number, (one, another) in enumerate(zip(first.pairs, other.pairs, strict=True)):
        if one != another:
            raise InputError(
                f'{files}: pair {number}, of {first.categories[number // size]}, is {one} and '
                f'{another}; {advice}'
            )
    for name, one, another in zip(first.categories, first.floor, other.floor, strict=True):
        if abs(one - another) > 1e-6:
            raise InputError(
                f'{files}: copying the support scores {one:.4f} and {another:.4f} mPCK on {name}, '
                f'so their annotations differ; {advice}'
            )


def compare(
    results: Sequence[Results], metric: str = 'mPCK', samples: int = 10_000, seed: int = 0
) -> list[Row]:
    """Compare results with the first of them, category by category and over all pairs.

    The pairs of an episode share their supports and so are not independent: whole episodes are
    drawn, with replacement, within each category (the categories are fixed, a stratum each). All
    results are scored on the same draws. The intervals are percentiles of what the draws give and
    hold 95 %; they tell what other episodes of these categories would change, not other categories
    or seeds of the training.

    Args:
        results: two or more, of the same pairs.
        metric: whose scores to compare.
        samples: draws.
        seed: of the draws.

    Returns:
        A row a category, and one for all pairs.

    Raises:
        InputError: the results are not of the same pairs, have no such metric, or a single episode
            a category.
    """
    first, *others = results
    for one in results:
        if metric not in one.pair_scores:
            known = ', '.join(one.pair_scores)
            raise InputError(f'{one.name!r} has no metric {metric!r}: choose from {known}')
    for other in others:
        check_comparable(first, other)
    means = np.stack([one.episode_means(metric) for one in results])  # (files, categories, E)
    files, categories, episodes = means.shape
    if episodes < 2:
        raise InputError('a single episode a category gives no interval: raise num_episodes')

    generator = np.random.default_rng(seed)
    drawn = np.empty((files - 1, categories, samples))
    for category in range(categories):
        differences = means[1:, category] - means[0, category]
        chosen = generator.integers(episodes, size=(samples, episodes))
        for file, difference in enumerate(differences):
            drawn[file, category] = difference[chosen].mean(-1)

    floor = next((one.matching for one in results if one.matching), {})
    matching = [floor[name][metric] if floor else None for name in first.categories]

    def row(name: str, scores: np.ndarray, drawn: np.ndarray, matching: float | None = None) -> Row:
        tail = (1 - CONFIDENCE) / 2
        ends = np.quantile(drawn, [tail, 1 - tail], axis=-1).T
        return Row(
            name,
            scores.tolist(),
            (scores[1:] - scores[0]).tolist(),
            [(float(low), float(high)) for low, high in ends],
            matching,
        )

    scores = means.mean(-1)  # (files, categories)
    rows = [
        row(name, scores[:, number], drawn[:, number], matching[number])
        for number, name in enumerate(first.categories)
    ]
    overall = float(np.mean(matching)) if floor else None
    return [*rows, row(ALL_PAIRS, scores.mean(1), drawn.mean(1), overall)]


def format_comparison(
    rows: Sequence[Row], names: Sequence[str], metric: str = 'mPCK', style: str = 'markdown'
) -> str:
    """The comparison as a table; PCK and AUC in per cent, EPE in pixels, NME as a fraction.

    The last column, where a file has it, is the second floor: matching without training.

    Args:
        rows: what `compare` returns.
        names: the files'.
        metric: that was compared.
        style: ``markdown``, ``csv`` or ``latex``; CSV has the ends of the intervals in columns of
            their own.
    """
    factor = 1 if metric in ('EPE', 'NME') else 100
    digits = 4 if metric == 'NME' else 2
    others = names[1:]

    def number(value: float, sign: str = '') -> str:
        return f'{value * factor:{sign}.{digits}f}'

    def with_floor(header: list[str], cells: list[list[str]]) -> tuple[list, list]:
        if rows[0].matching is None:
            return header, cells
        floor = [[*line, number(row.matching)] for line, row in zip(cells, rows, strict=True)]
        return [*header, 'matching features'], floor

    if style == 'csv':
        header = ['category', *names]
        for name in others:
            header += [f'{name} difference', f'{name} low', f'{name} high']
        cells = [
            [
                row.name,
                *map(number, row.scores),
                *(
                    number(value)
                    for difference, ends in zip(row.differences, row.intervals, strict=True)
                    for value in (difference, *ends)
                ),
            ]
            for row in rows
        ]
        return format_table(*with_floor(header, cells), style)
    titles = [f'{name} − {names[0]}' for name in others] if len(others) > 1 else ['difference']
    header = [f'{metric}, category', *names]
    header += [f'{title} [{CONFIDENCE:.0%} interval]' for title in titles]
    cells = [
        [
            row.name,
            *map(number, row.scores),
            *(
                f'{number(difference, "+")} [{number(low, "+")}, {number(high, "+")}]'
                for difference, (low, high) in zip(row.differences, row.intervals, strict=True)
            ),
        ]
        for row in rows
    ]
    return format_table(*with_floor(header, cells), style)
