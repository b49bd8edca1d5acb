"""All hooks of a training, in the order in which they take turns."""

from __future__ import annotations

from collections.abc import Mapping

from mmcv import Config
from mmcv.runner import HOOKS, DistSamplerSeedHook, Hook
from mmcv.utils import build_from_cfg
from torch.utils.data import DataLoader, Dataset

from fmmp.errors import InputError, did_you_mean

from ..runner import SeedEpochHook, ValidationHook
from ..settings.building import building
from ..settings.known import schedule_hook
from ..test import predict
from .logs import LogHook
from .non_finite_loss import NonFiniteLossHook

LESS_IS_BETTER = ('NME', 'EPE')


def build_hooks(
    config: Config, train_set: Dataset, val_loader: DataLoader | None, seed: int
) -> list[tuple[Hook, str | int]]:
    """Build the hooks that a config names, and those of every training.

    Args:
        config: the config.
        train_set: the data set that the episodes come from.
        val_loader: of the validation; None for none.
        seed: of the training.

    Returns:
        Hooks with MMCV's priorities, to be registered in this order.

    Raises:
        InputError: a hook cannot be built from its settings.
    """
    hooks = []

    def add(path: str, settings: Mapping, priority: str | int) -> None:
        with building(path, settings):
            hooks.append((build_from_cfg(settings, HOOKS), priority))

    if config.lr_config:
        schedule = {**config.lr_config}
        schedule['type'] = schedule_hook(schedule.pop('policy'))
        add('lr_config', schedule, 'VERY_HIGH')
    steps = {'type': 'OptimizerStepHook', **(config.get('optimizer_config') or {})}
    add('optimizer_config', steps, 'ABOVE_NORMAL')
    add('checkpoint_config', {'type': 'SaveHook', **config.checkpoint_config}, 'NORMAL')
    add('timer', {'type': 'IterTimerHook'}, 'LOW')
    for number, logger in enumerate(config.log_config.hooks):
        settings = {'interval': config.log_config.interval, **logger}
        add(f'log_config.hooks.{number}', settings, 'VERY_LOW')
    for number, hook in enumerate(config.get('custom_hooks') or []):
        settings = {**hook}
        priority = settings.pop('priority', 'NORMAL')
        add(f'custom_hooks.{number}', settings, priority)
    hooks.append((DistSamplerSeedHook(), 'NORMAL'))
    hooks.append((SeedEpochHook(seed), 'NORMAL'))
    # Before the optimiser's step.
    non_finite_loss = NonFiniteLossHook(train_set, **(config.get('non_finite_loss') or {}))
    hooks.append((non_finite_loss, 'HIGH'))
    hooks.append((LogHook(config.log_config.interval), 'LOW'))
    if val_loader is not None:
        _check_best(config.evaluation, val_loader.dataset)
        with building('evaluation', config.evaluation):
            validation = ValidationHook(val_loader, test_fn=predict, **config.evaluation)
        # Before checkpoints are saved, so that they know of the best score so far.
        hooks.append((validation, 'ABOVE_NORMAL'))
    return hooks


def _check_best(evaluation: Mapping, val_set: Dataset) -> None:
    """Make sure that the metric which chooses the best checkpoint will be there, and its rule."""
    best, names = evaluation.get('save_best'), getattr(val_set, 'metric_names', None)
    if best in (None, 'auto') or names is None:
        return
    if best not in names:
        raise InputError(f'evaluation.save_best is {best!r}: {did_you_mean(best, names)}')
    rule = 'less' if best in LESS_IS_BETTER else 'greater'
    if evaluation.get('rule') not in (None, rule):
        raise InputError(
            f'evaluation.rule is {evaluation["rule"]!r}: the {rule} {best} is the better; leave it '
            'out'
        )
