"""What the logs say beside the losses, and how."""

from __future__ import annotations

import resource
import sys
from importlib.util import find_spec

import torch
from mmcv.runner import HOOKS, EpochBasedRunner, Hook, TextLoggerHook

from fmmp.errors import InputError

from ..runner import unwrap

PACKAGES = {'TensorboardLoggerHook': 'tensorboard', 'WandbLoggerHook': 'wandb'}


def require_loggers(log_config: dict) -> None:
    """Make sure that the packages which a config's loggers need are installed.

    Raises:
        InputError: one is not.
    """
    for logger in log_config['hooks']:
        package = PACKAGES.get(logger['type'])
        if package and find_spec(package) is None:
            raise InputError(
                f'log_config.hooks names {logger["type"]}: pip install {package}, or take it out'
            )


@HOOKS.register_module()
class TextLogger(TextLoggerHook):
    """MMCV's log of text and JSON lines, for small learning rates and many categories.

    JSON lines have six digits of a number, where MMCV's have five decimals. The text has a line a
    category, and the memory also without a GPU.
    """

    def _round_float(self, items: object) -> object:
        if isinstance(items, list):
            return [self._round_float(item) for item in items]
        return float(f'{items:.6g}') if isinstance(items, float) else items

    def _log_info(self, log_dict: dict, runner: EpochBasedRunner) -> None:
        overall, categories = {}, {}
        for name, value in log_dict.items():
            metric, _, category = name.partition('/')
            if category:
                categories.setdefault(category, []).append(f'{metric}: {value:.4f}')
            else:
                overall[name] = value
        if 'memory' in overall and not torch.cuda.is_available():  # MMCV leaves it out
            overall['memory (MB)'] = overall.pop('memory')
        super()._log_info(overall, runner)
        for category, metrics in categories.items():
            runner.logger.info('  %s: %s', category, ', '.join(metrics))


class LogHook(Hook):
    """Logs the learning rates of the model's parts, the memory, and how many steps were skipped.

    Args:
        interval: iterations from one line of the log to the next.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval

    def after_train_iter(self, runner: EpochBasedRunner) -> None:
        """Add to the line that the loggers, which come after this hook, write now."""
        if not self.every_n_inner_iters(runner, self.interval):
            return
        output = runner.log_buffer.output
        output['memory'] = peak_memory(next(runner.model.parameters()).device)
        rates = learning_rates(unwrap(runner.model), runner.optimizer)
        if len(set(rates.values())) > 1:
            output.update({f'lr_{part}': rate for part, rate in rates.items()})
        skipped = runner.meta['hook_msgs'].get('skipped')
        if skipped:
            output['skipped'] = skipped


def learning_rates(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The highest learning rate in each part of a model, such as ``backbone``."""
    parts = {id(p): name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad}
    rates = {}
    for group in optimizer.param_groups:
        for part in {parts[id(p)] for p in group['params'] if id(p) in parts}:
            rates[part] = max(group['lr'], rates.get(part, 0))
    return rates


def peak_memory(device: torch.device) -> int:
    """The most memory this process has held so far, in MiB: a GPU's, or else its own."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) // 2**20
    unit = 1 if sys.platform == 'darwin' else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
