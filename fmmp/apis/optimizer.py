"""The optimiser of a config."""

from __future__ import annotations

from collections.abc import Mapping

from mmcv import Config
from mmcv.runner import build_optimizer as build
from torch import nn
from torch.optim import Optimizer

from fmmp.errors import InputError, did_you_mean

from .loaders import loader_settings
from .settings.building import building


def build_optimizer(model: nn.Module, config: Config, processes: int) -> Optimizer:
    """Build a config's optimiser, its learning rate scaled if the config asks for it.

    Args:
        model: what is to be trained.
        config: its ``optimizer``, and ``auto_scale_lr`` (see `learning_rate`).
        processes: how many train together.

    Raises:
        InputError: the optimiser cannot be built from its settings, or these name a part that the
            model has not.
    """
    settings = config.optimizer.copy()
    _check_parts(model, (settings.get('paramwise_cfg') or {}).get('custom_keys') or {})
    settings.lr = learning_rate(config, processes)
    with building('optimizer', settings):
        return build(model, settings)


def episodes_a_step(config: Config, processes: int) -> int:
    """Episodes that make a step of the optimiser, in all processes together."""
    episodes = processes * loader_settings(config.data, 'train')['samples_per_gpu']
    return episodes * (config.get('optimizer_config') or {}).get('cumulative_iters', 1)


def learning_rate(config: Config, processes: int) -> float:
    """``optimizer.lr``, scaled if the config asks for it.

    Args:
        config: ``auto_scale_lr=dict(enable=True, base_batch_size=N)``: ``optimizer.lr`` is meant
            for N episodes a step, and grows in proportion to them.
        processes: how many train together.

    Raises:
        InputError: ``base_batch_size`` is missing.
    """
    scaling = config.get('auto_scale_lr') or {}
    if not scaling.get('enable', False):
        return config.optimizer.lr
    if not scaling.get('base_batch_size'):
        raise InputError(
            'auto_scale_lr.base_batch_size is missing: give the episodes a step that optimizer.lr '
            'is meant for'
        )
    return config.optimizer.lr * episodes_a_step(config, processes) / scaling.base_batch_size


def _check_parts(model: nn.Module, custom_keys: Mapping) -> None:
    """Make sure that each key is part of the name of a parameter that is trained."""
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    for key in custom_keys:
        if not any(key in name for name in names):
            parts = {'.'.join(n.split('.')[:depth]) for n in names for depth in (1, 2, 3)}
            parts |= {part for name in names for part in name.split('.') if not part.isdigit()}
            raise InputError(
                f'optimizer.paramwise_cfg.custom_keys.{key}: no trained parameter has such a name; '
                f'{did_you_mean(key, sorted(parts))}'
            )
