"""MMCV's runner, with checkpoints that are safe to load and never half-written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from mmcv.runner import EpochBasedRunner, Hook, get_dist_info
from mmpose.core import EvalHook
from torch import nn
from torch.utils.data import DataLoader

from fmmp.checkpoints import load_training, load_weights, save_atomically
from fmmp.errors import CheckpointError, NonFiniteLossError
from fmmp.files import link_atomically

from .ready_batches import ready_batches
from .work_dir import LATEST


class Runner(EpochBasedRunner):
    """MMCV's epoch-based runner that saves atomically and loads without running code."""

    kept_rate = 1.0  # how much of the config's learning rate is kept where a training goes on
    _best_saved = None  # name of the best checkpoint that the newest one knows of

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

        Raises:
            NonFiniteLossError: the last step spoiled the weights, from which none could go on.
        """
        if get_dist_info()[0] != 0:
            return
        self._require_finite_weights()
        path = Path(out_dir) / filename_tmpl.format(self.epoch + 1)
        save_atomically(self._checkpoint(self.epoch + 1, save_optimizer, meta), path)
        if create_symlink:
            link_atomically(path.with_name(LATEST), path.name)
            self._best_saved = self._best()
            self.remove_outdated_best()

    def save_interrupted(self, name: str) -> None:
        """Save the state within an epoch; resumed, it begins the epoch again.

        Args:
            name: the file's, in the work directory.
        """
        if get_dist_info()[0] == 0:
            save_atomically(self._checkpoint(self.epoch), Path(self.work_dir) / name)

    def remove_outdated_best(self) -> None:
        """Remove best checkpoints but the run's, and the one that the newest checkpoint knows of.

        So a training that is killed and resumed always finds the best one it remembers.
        """
        folder = Path(self.work_dir)
        keep = {self._best(), self._best_saved, Path(os.path.realpath(folder / LATEST)).name}
        for path in folder.glob('best_*_epoch_*.pth'):
            if path.name not in keep:
                path.unlink()

    def _require_finite_weights(self) -> None:
        for name, weight in unwrap(self.model).named_parameters():
            if not weight.isfinite().all():
                raise NonFiniteLossError(
                    f'epoch {self.epoch + 1}: {name} is not finite, so it is not saved. The loss '
                    'was finite and its gradient was not: lower the learning rate or clip '
                    'gradients (optimizer_config.grad_clip)'
                )

    def _best(self) -> str | None:
        best = self.meta.get('hook_msgs', {}).get('best_ckpt')
        return Path(best).name if best else None

    def _checkpoint(
        self, epochs: int, save_optimizer: bool = True, meta: dict | None = None
    ) -> dict:
        meta = {
            **self.meta,
            **(meta or {}),
            'epoch': epochs,
            'iter': self.iter,
            'time': time.asctime(),
        }
        model = unwrap(self.model)
        elsewhere = tuple(getattr(model, 'weights_elsewhere', ()))
        state = {n: v for n, v in model.state_dict().items() if not n.startswith(elsewhere)}
        checkpoint = {'meta': meta, 'state_dict': state}
        if save_optimizer:
            checkpoint['optimizer'] = self.optimizer.state_dict()
        return checkpoint

    def load_checkpoint(self, filename: str, *_: object, **__: object) -> dict:
        """Load weights, ours or released ones; every tensor must fit. Returns the checkpoint."""
        return load_weights(unwrap(self.model), filename)

    def resume(
        self, checkpoint: str, saved: dict | None = None, new_settings: bool = False
    ) -> None:
        """Go on from a checkpoint of a training, at the beginning of an epoch.

        Everything that hooks keep in ``meta`` comes back: the best score, a loss scaler's state.

        Args:
            checkpoint: its file.
            saved: what is in it, if it has been read.
            new_settings: go on with the optimiser's settings as they are, such as the learning
                rate, and not as they were.

        Raises:
            CheckpointError: the checkpoint does not fit, or holds weights alone.
        """
        saved = saved or load_training(checkpoint)
        load_weights(unwrap(self.model), checkpoint, saved)
        settings = [
            {k: v for k, v in g.items() if k != 'params'} for g in self.optimizer.param_groups
        ]
        try:
            self.optimizer.load_state_dict(saved['optimizer'])
        except ValueError as error:
            raise CheckpointError(
                f"{checkpoint}: its optimiser's state does not fit the config's optimizer "
                f'({error}); take the settings it was trained with, or start from its weights by '
                f'--cfg-options load_from={checkpoint}'
            ) from error
        if new_settings:
            for group, values in zip(self.optimizer.param_groups, settings, strict=True):
                group.update(values, initial_lr=values['lr'])
        first, planned = self.optimizer.param_groups[0], settings[0]['lr']
        if planned:  # 0 for a part that is frozen
            self.kept_rate = first.get('initial_lr', first['lr']) / planned
        self._epoch, self._iter = saved['meta']['epoch'], saved['meta']['iter']
        kept = {k: v for k, v in saved['meta'].items() if k not in ('epoch', 'iter', 'time')}
        self.meta = {**kept, **self.meta}
        self._best_saved = self._best()

    def run(self, data_loaders: list[DataLoader], *args: object, **kwargs: object) -> None:
        """Train; the first iteration follows from the epoch.

        A resumed training may have other batches, or have been interrupted within an epoch.
        """
        first = self.epoch * len(data_loaders[0])
        if self.iter != first:
            self.logger.warning('iteration %d becomes %d, where the epoch begins', self.iter, first)
            self._iter = first
        super().run(data_loaders, *args, **kwargs)

    def train(self, data_loader: DataLoader, **kwargs: object) -> None:
        """Train an epoch, without the two seconds that MMCV's runner waits before each."""
        self.mode, self.data_loader = 'train', data_loader
        self._max_iters = self.max_epochs * len(data_loader)
        self.model.train()
        self.call_hook('before_train_epoch')
        device = next(self.model.parameters()).device
        for self._inner_iter, batch in enumerate(ready_batches(data_loader, device)):
            self.data_batch = batch
            self.call_hook('before_train_iter')
            self.run_iter(batch, train_mode=True, **kwargs)
            self.call_hook('after_train_iter')
            self._iter += 1
        self.call_hook('after_train_epoch')
        self._epoch += 1


class ValidationHook(EvalHook):
    """MMPose's evaluation hook; every process evaluates, and the first one saves the best.

    The best checkpoint so far is removed only when the newest checkpoint knows of the next. Scores
    of another metric or on other data, before a training was resumed, are no rivals.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Validate after epochs alone.

        MMCV's hook would validate before the first epoch of a resumed training too, which would
        run in evaluation mode.
        """

    def _save_ckpt(self, runner: Runner, key_score: float) -> None:
        messages = runner.meta['hook_msgs']
        prefix = f'best_{self.key_indicator.replace("/", "_")}_epoch_'  # of a category: mPCK/horse
        best = self.init_value_map[self.rule]
        if Path(messages.get('best_ckpt', '')).name.startswith(prefix):
            best = messages.get('best_score', best)
        if runner.rank != 0 or not self.compare_func(key_score, best):
            return
        name = f'{prefix}{runner.epoch + 1}.pth'
        messages.update(best_score=float(key_score), best_ckpt=str(Path(self.out_dir) / name))
        runner.save_checkpoint(self.out_dir, name, create_symlink=False)
        runner.remove_outdated_best()
        runner.logger.info('best %s so far: %.4f, saved as %s', self.key_indicator, key_score, name)


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
