"""Curves of several trainings in one figure."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmmp import visualization as colours
from fmmp.datasets.metrics import METRICS

from .logs import RunLog

SCORES = ('mPCK', 'PCK@0.2')
TITLES = {
    'loss': 'training loss',
    'loss_real': 'training loss, real keypoints',
    'loss_mix': 'training loss, padded keypoints',
    'lr': 'learning rate',
    'time': 'seconds a step',
    'data_time': 'seconds a step waits for data',
    'memory': 'memory, MiB',
}
# Okabe and Ito's, but for yellow, which is too light for a line; then the same with other strokes.
_PALETTE = (
    colours.BLUE,
    colours.VERMILION,
    colours.GREEN,
    colours.PURPLE,
    colours.ORANGE,
    colours.SKY_BLUE,
    colours.BLACK,
)
_STROKES = ('-', '--', ':', '-.')
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')


def common_keys(runs: Sequence[RunLog]) -> list[str]:
    """The loss's terms, or else the loss, and the scores that all runs have logged."""
    logged = [key for key in runs[0].keys() if all(key in run.keys() for run in runs)]
    terms = [key for key in logged if key.startswith('loss_')]
    return [*(terms or ['loss']), *(key for key in SCORES if key in logged)]


def plot_curves(runs: Sequence[RunLog], keys: Sequence[str] | None = None) -> Figure:
    """Draw a panel for each key with a line for each run, over epochs.

    PCK, mPCK, mAP and AUC are in per cent. Runs differ in colour and in their markers.

    Args:
        runs: what to draw, in the legend's order.
        keys: what each panel shows; those of `common_keys` unless given.

    Raises:
        InputError: a run has not logged a key.
    """
    keys = keys or common_keys(runs)
    curves = {key: [run.curve(key) for run in runs] for key in keys}
    columns = min(2, len(keys))
    rows = -(-len(keys) // columns)
    figure = Figure(figsize=(4.6 * columns, 0.5 + 3.0 * rows), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for panel, key in zip(axes, keys, strict=False):
        is_metric = key.split('/')[0] in METRICS
        per_cent = is_metric and key.split('/')[0] not in ('NME', 'EPE')
        for number, (epochs, values) in enumerate(curves[key]):
            colour = np.array(_PALETTE[number % len(_PALETTE)]) / 255
            panel.plot(
                epochs,
                values * (100 if per_cent else 1),
                _STROKES[number // len(_PALETTE) % len(_STROKES)],
                color=colour,
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=4,
                markevery=max(1, len(epochs) // 12),
                linewidth=1.6,
                label=runs[number].name,
            )
        title = TITLES.get(key, f'validation {key}' if is_metric else key)
        panel.set_title(f'{title}, %' if per_cent else title, fontsize=11)
        panel.set_xlabel('epoch')
        panel.tick_params(labelbottom=True)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.spines[['top', 'right']].set_visible(False)
    for panel in axes[len(keys) :]:
        panel.remove()
    lines, names = axes[0].get_legend_handles_labels()
    letters = 11 * figure.get_figwidth()  # that fit in a line of the legend
    columns = max(1, min(len(names), int(letters / (8 + max(map(len, names))))))
    figure.legend(lines, names, loc='outside upper center', ncols=columns, frameon=False)
    return figure


def render(figure: Figure, kind: str) -> bytes:
    """The figure as a file's content.

    Args:
        figure: what to render.
        kind: a format of matplotlib's, such as ``png`` or ``pdf``.
    """
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=150)
    return content.getvalue()
