"""MMCV's runner, with checkpoints that are safe to load and never half-written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import mmcv
import torch
from mmcv.runner import EpochBasedRunner, Hook, get_dist_info
from mmpose.core import EvalHook
from torch import nn

import fmmp
from fmmp.checkpoints import CheckpointError, load_weights, save_atomically


class Runner(EpochBasedRunner):
    """MMCV's epoch-based runner that saves atomically and loads without running code."""

    def save_checkpoint(
        self,
        out_dir: str,
        filename_tmpl: str = 'epoch_{}.pth',
        save_optimizer: bool = True,
        meta: dict | None = None,
        create_symlink: bool = True,
    ) -> None:
        """Save weights, optimiser and position; only the first process writes.

        Args:
            out_dir: folder of the checkpoint.
            filename_tmpl: its name, with the epoch's number for ``{}``.
            save_optimizer: also save the optimiser's state.
            meta: more to be saved; plain values.
            create_symlink: let ``latest.pth`` point to this checkpoint.
        """
        if get_dist_info()[0] != 0:
            return
        meta = {
            **(self.meta or {}),
            **(meta or {}),
            'epoch': self.epoch + 1,
            'iter': self.iter,
            'fmmp_version': fmmp.__version__,
            'mmcv_version': mmcv.__version__,
            'time': time.asctime(),
        }
        checkpoint = {'meta': meta, 'state_dict': unwrap(self.model).state_dict()}
        if save_optimizer:
            checkpoint['optimizer'] = self.optimizer.state_dict()
        path = Path(out_dir) / filename_tmpl.format(self.epoch + 1)
        save_atomically(checkpoint, path)
        if create_symlink:
            link = path.with_name('latest.pth')
            temporary = path.with_name('.latest.pth')
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(path.name)
            os.replace(temporary, link)

    def load_checkpoint(self, filename: str, *_: object, **__: object) -> dict:
        """Load weights, ours or released ones; every tensor must fit. Returns the checkpoint."""
        return load_weights(unwrap(self.model), filename)

    def resume(self, checkpoint: str, *args: object, **kwargs: object) -> None:
        """Go on from a checkpoint of a training.

        Raises:
            CheckpointError: the checkpoint holds weights alone.
        """
        saved = self.load_checkpoint(checkpoint)
        if not {'epoch', 'iter'} <= saved.get('meta', {}).keys() or 'optimizer' not in saved:
            raise CheckpointError(
                f'{checkpoint}: holds no training to resume; start from its weights with '
                f'--cfg-options load_from={checkpoint}'
            )
        self._epoch, self._iter = saved['meta']['epoch'], saved['meta']['iter']
        self.meta['hook_msgs'] = saved['meta'].get('hook_msgs', {})
        self.optimizer.load_state_dict(saved['optimizer'])
        self.logger.info('resumed %s at epoch %d, iteration %d', checkpoint, self.epoch, self.iter)


class ValidationHook(EvalHook):
    """MMPose's evaluation hook; every process evaluates, and the first one saves the best."""

    def _save_ckpt(self, runner: EpochBasedRunner, key_score: float) -> None:
        if runner.rank == 0:
            super()._save_ckpt(runner, key_score)


class SeedEpochHook(Hook):
    """Seeds torch's draws anew each epoch, so that a resumed training draws what it would have.

    Args:
        seed: of the training.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Seed by the training's seed, the epoch and the process."""
        torch.manual_seed(self.seed + 1_000_003 * runner.epoch + 10_007 * runner.rank)


def unwrap(model: nn.Module) -> nn.Module:
    """The model itself, without its wrapper for several processes."""
    return model.module if hasattr(model, 'module') else model
