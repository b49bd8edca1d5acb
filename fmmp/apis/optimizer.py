"""The optimiser of a config."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmcv import Config
from mmcv.runner import build_optimizer as build
from torch import Tensor, nn
from torch.optim import Optimizer

from fmmp.errors import InputError, did_you_mean

from .loaders import loader_settings
from .settings.building import building


def build_optimizer(model: nn.Module, config: Config, processes: int) -> Optimizer:
    """Build a config's optimiser, its learning rate scaled if the config asks for it.

    On the CPU, Adam and AdamW take torch's fused step unless the config says otherwise: the same
    numbers in one pass through the memory, a third of the time.

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
    if _can_be_fused(model, config):
        settings.setdefault('fused', True)
    with building('optimizer', settings):
        optimizer = build(model, settings)
    if hasattr(optimizer, 'register_load_state_dict_post_hook'):  # torch 2.0 has none
        optimizer.register_load_state_dict_post_hook(_fit_loaded_state)
    return optimizer


def _can_be_fused(model: nn.Module, config: Config) -> bool:
    """Whether torch has a fused step for a config's optimiser where the model is."""
    version = tuple(int(part) for part in torch.__version__.split('.')[:2])
    return (
        version >= (2, 4)
        and config.optimizer.type in ('Adam', 'AdamW')
        and 'foreach' not in config.optimizer
        and config.get('precision') != 'float16'  # leave scaling to `OptimizerStepHook`
        and all(parameter.device.type == 'cpu' for parameter in model.parameters())
    )


@torch.no_grad()
def _fit_loaded_state(optimizer: Optimizer) -> None:
    """Lay out a checkpoint's state as the parameters are.

    A fused step goes through both in the order of the memory, and a checkpoint may be of another
    device or memory format.
    """
    for group in optimizer.param_groups:
        if 'fused' in group:
            group['fused'] = optimizer.defaults['fused']
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


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
