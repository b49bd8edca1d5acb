"""The optimiser of a config."""

from __future__ import annotations

import logging

from mmcv import Config
from mmcv.runner import build_optimizer as build
from torch import nn
from torch.optim import Optimizer

from fmmp.errors import InputError

from .loaders import loader_settings


def build_optimizer(
    model: nn.Module, config: Config, processes: int, logger: logging.Logger
) -> Optimizer:
    """Build a config's optimiser, its learning rate scaled if the config asks for it.

    Args:
        model: what is to be trained.
        config: ``auto_scale_lr=dict(enable=True, base_batch_size=N)``: ``optimizer.lr`` is meant
            for N episodes a step, and grows in proportion to them.
        processes: how many train together.
        logger: told the episodes a step and the learning rate.

    Raises:
        InputError: ``base_batch_size`` is missing.
    """
    settings = config.optimizer.copy()
    episodes = processes * loader_settings(config.data, 'train')['samples_per_gpu']
    episodes *= (config.get('optimizer_config') or {}).get('cumulative_iters', 1)
    scaling = config.get('auto_scale_lr', {})
    if scaling.get('enable', False):
        if not scaling.get('base_batch_size'):
            raise InputError(
                'auto_scale_lr.base_batch_size is missing: give the episodes a step that '
                'optimizer.lr is meant for'
            )
        settings.lr *= episodes / scaling.base_batch_size
    logger.info('%d episodes a step, learning rate %g', episodes, settings.lr)
    return build(model, settings)
