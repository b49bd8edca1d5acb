"""What each layer of FMMP does to the points, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fmmp.datasets.crop import MARGIN
from fmmp.models.episode import Episode
from fmmp.models.layers.samples import Step, mean_place

from .tables import format_table

COLUMNS = {
    'moved': 'moved',
    'by its window': 'moved by its window',
    'nearer': '% moved nearer',
    'error': 'error',
    'PCK@0.1': 'PCK@0.1',
    'query samples': "query's samples away",
    'support samples': "support's samples away",
    'outside': "% of the query's outside",
}


def measure(steps: Sequence[Step], episode: Episode) -> list[dict[str, Tensor]]:
    """What layers do to the keypoints that count: labelled in the query and in all its supports.

    Args:
        steps: the layers'.
        episode: the batch that they answer, with ``num_keypoints``.

    Returns:
        For the start, its ``error`` and ``PCK@0.1``, and then for each layer, by the names of
        ``COLUMNS``, a number a keypoint. Lengths are in longer sides of the box: how far the layer
        moves the point, in all and by its window, the error after it, and how far its samples are,
        in the mean by weight, from where it takes the keypoint to be; samples outside are by
        weight, too.
    """
    queries, supports = episode.queries, episode.supports
    number = torch.arange(queries.points.shape[2], device=queries.points.device)
    counts = queries.visible & supports.visible.all(1, keepdim=True)
    counts &= (number < episode.num_keypoints[:, None])[:, None]

    def length(vector: Tensor) -> Tensor:
        return MARGIN * vector.norm(dim=-1)

    def away(samples: Tensor, points: Tensor) -> Tensor:
        return (samples[..., 2] * length(samples[..., :2] - points[..., None, :])).sum(-1)

    def errors(points: Tensor) -> dict[str, Tensor]:
        error = length(points - queries.points)
        return {'error': error, 'PCK@0.1': (error < 0.1).float()}

    rows = [errors(steps[0].before)]
    for step in steps:
        row = {'moved': length(step.after - step.before), **errors(step.after)}
        row['nearer'] = (row['error'] < length(step.before - queries.points)).float()
        if step.window is not None:
            row['by its window'] = length(mean_place(step.window) - step.before)
        if step.queries is not None:
            row['query samples'] = away(step.queries, step.before)
            outside = ((step.queries[..., :2] - 0.5).abs() > 0.5).any(-1)
            row['outside'] = (step.queries[..., 2] * outside).sum(-1)
        if step.supports is not None:
            row['support samples'] = away(step.supports, supports.points[:, None]).mean(2)
        rows.append(row)
    return [{name: values[counts] for name, values in row.items()} for row in rows]


def format_steps(batches: Sequence[Sequence[dict[str, Tensor]]], style: str = 'markdown') -> str:
    """A table of a row a layer: the means over the keypoints of all batches, as `measure` gives."""
    rows, names = [], ('start', *(f'layer {number}' for number in range(1, len(batches[0]))))
    for name, parts in zip(names, zip(*batches, strict=True), strict=True):
        cells = []
        for column in COLUMNS:
            values = [part[column] for part in parts if column in part]
            if not values:
                cells.append('–')
                continue
            mean = torch.cat(values).double().mean().item()
            share = column in ('nearer', 'PCK@0.1', 'outside')
            cells.append(f'{100 * mean:.1f}' if share else f'{mean:.3f}')
        rows.append([name, *cells])
    return format_table(['', *COLUMNS.values()], rows, style)
