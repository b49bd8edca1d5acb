"""A config's settings against what is known, before anything is built or written."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches

import torch
from mmcv import Config
from mmcv.runner import HOOKS, OPTIMIZERS, LoggerHook, get_priority
from mmpose.datasets import DATASETS, PIPELINES
from mmpose.models.builder import MODELS
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from fmmp.datasets.settings import DataSettings
from fmmp.errors import InputError, did_you_mean

from ..hooks import NonFiniteLossHook
from . import known
from .signatures import check_arguments, check_registered

SUBSETS = ('train', 'val', 'test')
TOP_LEVEL = tuple(field.name for field in fields(known.Settings))


def check_training(config: Config) -> None:
    """Check all settings that a training reads.

    Raises:
        InputError: a setting is unknown, missing, or of another type or range; the message names it
            and the nearest known name.
    """
    settings = config._cfg_dict
    check_names(settings)
    read = {name: value for name, value in settings.items() if name in TOP_LEVEL}
    check_arguments('', read, known.Settings)
    check_model(settings)
    check_data(settings)
    _check_optimisation(settings)
    _check_hooks(settings)
    workflow = [tuple(step) for step in settings.get('workflow') or [('train', 1)]]
    if workflow != [('train', 1)]:
        raise InputError(
            f"workflow is {workflow}: only [('train', 1)] is possible; evaluation.interval says "
            'when to validate'
        )


def check_names(settings: Mapping, options: Collection[str] = ()) -> None:
    """Check the names of a config's top level.

    A name that nothing reads may be a helper variable of the file, or another program's: these are
    warned of. It is refused if it comes from the command line, if it is nearly a setting's, or if
    OpenMMLab has such a setting and FMMP another.

    Args:
        settings: the config.
        options: dotted names of what the command line gives.

    Raises:
        InputError: a name is refused.
    """
    for option in [*options, *settings]:
        name = option.split('.')[0]
        near = get_close_matches(name, TOP_LEVEL, cutoff=0.8)
        if name not in TOP_LEVEL and (option in options or near or name in known.ELSEWHERE):
            raise InputError(f'{option}: no such setting; {_way_out(name, option, settings)}')
    others = ', '.join(name for name in settings if name not in TOP_LEVEL)
    if others and not options:
        warnings.warn(
            f'no setting, so nothing reads it: {others}. Delete helper variables at the end of a '
            f'config, by `del {others}`',
            stacklevel=3,
        )


def _way_out(name: str, option: str, settings: Mapping) -> str:
    if name in known.WAYS_OUT:
        return known.WAYS_OUT[name]
    # A helper variable of a config, such as data_cfg, often has the name of a setting of the data.
    data = settings.get('data') or {}
    for path in (option, name):
        nested = [f'data.{s}.{option}' for s in SUBSETS if _holds(data.get(s), path)]
        nested = nested or [f'data.{option}'] * _holds(data, path)
        if nested:
            return f'set {", ".join(nested)}'
    return did_you_mean(name, TOP_LEVEL)


def _holds(settings: object, path: str) -> bool:
    """Whether there is a setting of a dotted name."""
    for name in path.split('.'):
        if not isinstance(settings, Mapping) or name not in settings:
            return False
        settings = settings[name]
    return True


def check_model(settings: Mapping) -> None:
    """Check ``model``, and the parts in it that name their classes.

    Raises:
        InputError: as of `check_training`.
    """
    check_registered('model', settings.get('model'), MODELS)
    _check_parts('model', settings['model'])


def _check_parts(path: str, settings: Mapping) -> None:
    for name, value in settings.items():
        if not isinstance(value, Mapping) or 'type' not in value:
            continue
        # Deeper down a type may be of a registry that its owner alone knows, such as norm layers'.
        if path == 'model' or MODELS.get(value['type']):
            # What owns it may add to its settings what follows from other parts.
            check_registered(f'{path}.{name}', value, MODELS, complete=False)
            _check_parts(f'{path}.{name}', value)


def check_data(settings: Mapping, subsets: Collection[str] = SUBSETS) -> None:
    """Check ``data``: the loaders' settings, and the data sets with their transforms.

    Args:
        settings: the config.
        subsets: the data sets to look at, as far as there are any.

    Raises:
        InputError: as of `check_training`.
    """
    data = settings.get('data')
    check_arguments('data', data, known.Loader, known.Data)
    check_arguments('data.data_cfg', data.get('data_cfg') or {}, DataSettings)
    for subset in subsets:
        check_arguments(
            f'data.{subset}_dataloader',
            data.get(f'{subset}_dataloader') or {},
            known.Loader,
            DataLoader,
            given=known.NOT_OF_A_LOADER,
        )
        if data.get(subset) is not None:
            check_arguments(
                f'data.{subset}.data_cfg', data[subset].get('data_cfg') or {}, DataSettings
            )
            common = {name: data[name] for name in ('num_shots', 'data_cfg') if name in data}
            check_registered(f'data.{subset}', {**common, **data[subset]}, DATASETS)
            for number, transform in enumerate(data[subset].get('pipeline') or []):
                check_registered(f'data.{subset}.pipeline.{number}', transform, PIPELINES)


def _check_optimisation(settings: Mapping) -> None:
    """Check the optimiser and the schedule of the learning rate."""
    optimizer = settings['optimizer']
    check_registered('optimizer', optimizer, OPTIMIZERS, known.Optimizer, given=('params',))
    if optimizer.get('constructor') is None:
        paramwise, path = optimizer.get('paramwise_cfg') or {}, 'optimizer.paramwise_cfg'
        check_arguments(path, paramwise, known.Paramwise)
        parts = paramwise.get('custom_keys') or {}
        for name, value in parts.items():
            check_arguments(f'{path}.custom_keys.{name}', value, known.CustomKey)
        decays = any('decay_mult' in name for part in [paramwise, *parts.values()] for name in part)
        if decays and optimizer.get('weight_decay') is None:
            raise InputError(f'{path} multiplies optimizer.weight_decay, which is missing')
    check_arguments('auto_scale_lr', settings.get('auto_scale_lr') or {}, known.AutoScaleLr)

    schedule = settings['lr_config']
    if schedule is None:
        return
    policy = str(schedule.get('policy'))
    hook = known.schedule_hook(policy)
    if hook not in HOOKS:
        policies = [
            n.removesuffix(known.SCHEDULE) for n in HOOKS.module_dict if known.SCHEDULE in n
        ]
        raise InputError(f'lr_config.policy is {policy!r}: {did_you_mean(policy, policies)}')
    arguments = {name: value for name, value in schedule.items() if name != 'policy'}
    check_arguments('lr_config', arguments, HOOKS.get(hook))


def _check_hooks(settings: Mapping) -> None:
    """Check what configures the runner's hooks."""
    steps = {'type': 'OptimizerStepHook', **(settings.get('optimizer_config') or {})}
    check_registered('optimizer_config', steps, HOOKS)
    if steps.get('grad_clip') is not None:
        check_arguments(
            'optimizer_config.grad_clip', steps['grad_clip'], clip_grad_norm_, given=('parameters',)
        )
    if steps.get('loss_scale') is not None:
        check_arguments(
            'optimizer_config.loss_scale',
            steps['loss_scale'],
            torch.cuda.amp.GradScaler,
            given=('enabled',),
        )
    saving = {'type': 'SaveHook', **settings['checkpoint_config']}
    check_registered('checkpoint_config', saving, HOOKS)
    check_arguments('evaluation', settings['evaluation'], known.Evaluation)
    non_finite = settings.get('non_finite_loss') or {}
    check_arguments('non_finite_loss', non_finite, NonFiniteLossHook, given=('dataset',))
    check_arguments('log_config', settings['log_config'], known.LogConfig)
    for number, logger in enumerate(settings['log_config']['hooks']):
        check_registered(f'log_config.hooks.{number}', logger, HOOKS, of=LoggerHook)
    for number, hook in enumerate(settings.get('custom_hooks') or []):
        path = f'custom_hooks.{number}'
        check_registered(path, hook, HOOKS, known.Priority)
        try:
            get_priority(hook.get('priority', 'NORMAL'))
        except (KeyError, ValueError, TypeError):
            raise InputError(
                f'{path}.priority is {hook["priority"]!r}: give a whole number from 0 to 100, or '
                'HIGH, NORMAL, LOW …'
            ) from None
