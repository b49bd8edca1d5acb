"""What happens when the loss is infinite or not a number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from mmcv.runner import EpochBasedRunner, Hook
from torch import Tensor

from fmmp.checkpoints import save_atomically
from fmmp.datasets.episode_dataset import EpisodeDataset
from fmmp.errors import InputError, NonFiniteLossError

from ..distributed import collect
from ..settings.values import NotNegative

ACTIONS = ('stop', 'skip')


class NonFiniteLossHook(Hook):
    """Stops training, or leaves out the step, when the loss is infinite or not a number.

    The batch is saved in the work directory as ``non_finite_iter_N.pth``, with the files of its
    episodes; of the batches left out, only the first few, so that they cannot fill a disk.

    Args:
        dataset: the training's, which names the files.
        action: ``stop``, or ``skip``: make no step, and go on.
        max_in_a_row: batches that may be left out one after the other, one more stops training;
            also how many of them are saved in all.
    """

    def __init__(
        self,
        dataset: EpisodeDataset,
        action: Literal['stop', 'skip'] = 'stop',
        max_in_a_row: NotNegative = 10,
    ) -> None:
        if action not in ACTIONS:
            raise InputError(
                f'non_finite_loss.action is {action!r}: choose from {", ".join(ACTIONS)}'
            )
        self.dataset = dataset
        self.max_in_a_row = max_in_a_row if action == 'skip' else 0
        self.in_a_row = 0

    def before_run(self, runner: EpochBasedRunner) -> None:
        """Go on counting where the training to resume was saved."""
        runner.meta.setdefault('hook_msgs', {}).setdefault('skipped', 0)

    def before_train_iter(self, runner: EpochBasedRunner) -> None:
        """Remember batch norm's running means, which a batch to be skipped spoils."""
        if self.max_in_a_row:
            self.buffers = [buffer.clone() for buffer in runner.model.buffers()]

    def after_train_iter(self, runner: EpochBasedRunner) -> None:
        """Look at the loss.

        Raises:
            NonFiniteLossError: the loss is not finite, and not to be skipped.
        """
        # The logged loss is a mean over the processes, so that all of them do the same.
        if math.isfinite(runner.outputs['log_vars']['loss']):
            self.in_a_row = 0
            return
        counts = runner.meta['hook_msgs']
        stop = self.in_a_row == self.max_in_a_row
        report = self._report(runner, save=stop or counts['skipped'] < self.max_in_a_row)
        if stop:
            before = f' ({self.max_in_a_row} before it were skipped)' if self.max_in_a_row else ''
            raise NonFiniteLossError(
                f'{report}{before}. Look at these files; lower the learning rate or clip gradients '
                '(optimizer_config.grad_clip); a few such batches can be skipped with '
                'non_finite_loss.action=skip'
            )
        self.in_a_row += 1
        counts['skipped'] += 1
        runner.logger.warning('%s. Skipped; %d so far', report, counts['skipped'])
        runner.outputs['skipped'] = True
        _take_back(runner, self.buffers)

    def _report(self, runner: EpochBasedRunner, save: bool) -> str:
        """Name the iteration and the episodes' files in every process, and save their batches."""
        found = []
        if not math.isfinite(runner.outputs['loss'].item()):
            files = [self.dataset.files(index) for index in runner.data_batch['index'].tolist()]
            found.append('; '.join(', '.join(episode) for episode in files))
            if save:
                rank = f'_rank_{runner.rank}' if runner.world_size > 1 else ''
                path = Path(runner.work_dir, f'non_finite_iter_{runner.iter + 1}{rank}.pth')
                batch = {
                    name: value.cpu() if isinstance(value, Tensor) else value
                    for name, value in runner.data_batch.items()
                }
                content = dict(batch=batch, files=files, iter=runner.iter + 1)
                save_atomically(content, path)
                found[-1] += f' (saved as {path})'
        numbers = ', '.join(f'{k} {v:.4g}' for k, v in runner.outputs['log_vars'].items())
        return (
            f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}): the loss is not finite '
            f'({numbers}); episodes: {"; ".join(collect(found))}'
        )


def _take_back(runner: EpochBasedRunner, buffers: list) -> None:
    """Undo what the forward pass has left in the model and in the averages of the log."""
    for buffer, value in zip(runner.model.buffers(), buffers, strict=True):
        buffer.copy_(value)
    for history in (runner.log_buffer.val_history, runner.log_buffer.n_history):
        for name in runner.outputs['log_vars']:
            history[name].pop()
            if not history[name]:
                del history[name]
