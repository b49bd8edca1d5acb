"""Testing: predictions of every episode, their metrics, and the floors beside them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import torch
from mmcv import Config
from torch import nn
from torch.utils.data import DataLoader

from fmmp.cli import Progress
from fmmp.errors import InputError

from .distributed import collect, is_first_process
from .loaders import build_episodes
from .model import init_model
from .ready_batches import ready_batches
from .settings.checks import check_data, check_model, check_names
from .starter import matching_config, require_checkpoint, resolve

COLUMNS = ('PCK@0.05', 'PCK@0.1', 'PCK@0.15', 'PCK@0.2', 'mPCK', 'NME', 'AUC', 'EPE')

FLOORS = {  # what needs no training, by its key in reports: its row and its column
    'copy_support': ('copying the support', 'by copying'),
    'matching': ('matching features', 'by matching'),
}


def predict(model: nn.Module, loader: DataLoader) -> list[dict]:
    """Predict every episode, showing progress; every process predicts its share.

    Returns:
        For each batch, of all processes, the last layer's ``points``, (B, Q, K, 2) in sides of the
        queries' crops, and the episodes' ``index``; of a calibrated model also ``confidence``,
        (B, Q, K_c).
    """
    model.eval()
    progress = Progress('episodes') if is_first_process() else None
    done, results = 0, []
    for episodes in ready_batches(loader, next(model.parameters()).device):
        with torch.no_grad():
            found = model(return_loss=False, **episodes)
        found['points'] = found['points'][:, :, -1]
        results.append({n: v if n == 'index' else v.numpy() for n, v in found.items()})
        done += len(episodes['index'])
        if progress:
            progress(done, len(loader.sampler))
    return collect(results)


def test(
    config: Config,
    checkpoint: str | Path | None = None,
    device: str | torch.device = 'cpu',
    matching_floor: bool = False,
) -> dict:
    """Evaluate a checkpoint on a config's ``data.test``.

    Args:
        config: the config.
        checkpoint: ours or a released one, or ``starter``; none for methods without training.
        device: where to run.
        matching_floor: also score matching without training on the same pairs.

    Returns:
        ``metrics``, ``per_category``, ``copy_support``, ``copy_support_per_category``, ``pairs``,
        ``num_queries``, ``pair_scores``, ``predictions``, ``confidence`` and ``left_out``; see
        ``TestEpisodes.report``. With the floor, its ``matching`` and ``matching_per_category``.

    Raises:
        InputError: there is no checkpoint of a method that is trained.
    """
    config, checkpoint = resolve(config, checkpoint)
    check_names(config._cfg_dict)
    check_model(config._cfg_dict)
    check_data(config._cfg_dict, ('test',))
    if config.data.get('test') is None:
        raise InputError('data.test is missing')
    require_checkpoint(config, checkpoint)
    with closing(build_episodes(config, 'test')) as loader:
        model = init_model(config, checkpoint, device, for_testing=True)
        report = loader.dataset.report(predict(model, loader))
    if matching_floor:
        floor = test(matching_config(config), device=device)
        report['matching'] = floor['metrics']
        report['matching_per_category'] = floor['per_category']
    return report


def format_report(report: dict, columns: tuple[str, ...] = COLUMNS) -> str:
    """The report as a table: a row a category, then the mean over pairs and the floors'.

    Args:
        report: what `test` returns.
        columns: the metrics to show. mPCK, the mean over the PCK columns, is also known as mAP.
            The last ones are the mPCK of the floors: copying the support's keypoints and, where it
            was asked for, matching features without training.
    """
    floors = {key: title for key, title in FLOORS.items() if key in report}
    rows = {**report['per_category'], 'all pairs': report['metrics']}
    rows.update({floors[key][0]: report[key] for key in floors})
    width = max(len(name) for name in rows)
    titles = ['mPCK (mAP)' if column == 'mPCK' else column for column in columns]
    titles += [title for _, title in floors.values()]
    lines = [' ' * width + ''.join(f'  {title:>11}' for title in titles)]
    for name, metrics in rows.items():
        if name == 'all pairs':
            lines.append('-' * len(lines[0]))
        values = [_number(column, metrics[column]) for column in columns]
        for key in floors:
            floor = report[f'{key}_per_category'].get(name, report[key])
            values.append(_number('mPCK', floor['mPCK']))
        lines.append(f'{name:<{width}}' + ''.join(f'  {value:>11}' for value in values))
    if report.get('left_out'):
        lines.append('left out, with too few instances: ' + ', '.join(report['left_out']))
    return '\n'.join(lines)


def _number(metric: str, value: float) -> str:
    """PCK and AUC in per cent, EPE in pixels, NME as a fraction."""
    if metric == 'EPE':
        return f'{value:.2f} px'
    return f'{value:.4f}' if metric == 'NME' else f'{100 * value:.2f}'
