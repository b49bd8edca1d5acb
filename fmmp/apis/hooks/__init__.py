"""Hooks of the training's runner; importing them registers in MMCV what configs may name."""

from .checkpoint import SaveHook
from .logs import LogHook, TextLogger, require_loggers
from .non_finite_loss import NonFiniteLossHook
from .optimizer_step import OptimizerStepHook

__all__ = [
    'LogHook',
    'NonFiniteLossHook',
    'OptimizerStepHook',
    'SaveHook',
    'TextLogger',
    'require_loggers',
]
