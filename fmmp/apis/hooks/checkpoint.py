"""When checkpoints are saved, and how many are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mmcv.runner import HOOKS, EpochBasedRunner, Hook

from ..settings.values import Positive
from ..work_dir import checkpoint_of_epoch, checkpoints


@HOOKS.register_module()
class SaveHook(Hook):
    """Saves ``epoch_N.pth`` after every few epochs and after the last one.

    Args:
        interval: epochs from one checkpoint to the next.
        max_keep_ckpts: how many of the newest to keep; None or -1 for all.
        save_optimizer: also save the optimiser's state, without which no training goes on.
        save_last: save after the last epoch, whatever the interval.
        by_epoch: always; a training goes on from whole epochs.
    """

    def __init__(
        self,
        interval: Positive = 1,
        max_keep_ckpts: Positive | Literal[-1] | None = None,
        save_optimizer: bool = True,
        save_last: bool = True,
        by_epoch: Literal[True] = True,
    ) -> None:
        self.interval = interval
        self.keep = None if max_keep_ckpts == -1 else max_keep_ckpts
        self.save_optimizer = save_optimizer
        self.save_last = save_last

    def before_run(self, runner: EpochBasedRunner) -> None:
        """Remove what a training that was killed while it did has left."""
        self._remove_older(runner, runner.epoch)

    def after_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Save, and remove the checkpoints that are too many."""
        last = self.save_last and self.is_last_epoch(runner)
        if last or self.every_n_epochs(runner, self.interval):
            runner.logger.info('saving epoch_%d.pth', runner.epoch + 1)
            runner.save_checkpoint(runner.work_dir, save_optimizer=self.save_optimizer)
            self._remove_older(runner, runner.epoch + 1)

    def _remove_older(self, runner: EpochBasedRunner, epoch: int) -> None:
        """Of the checkpoints up to an epoch's, keep the newest."""
        if self.keep is None or runner.rank != 0:
            return
        numbers = [checkpoint_of_epoch(path) for path in checkpoints(Path(runner.work_dir))]
        done = sorted(number for number in numbers if number is not None and number <= epoch)
        for number in done[: -self.keep]:
            Path(runner.work_dir, f'epoch_{number}.pth').unlink()
