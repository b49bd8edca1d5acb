"""From the loss to the optimiser's step."""

from __future__ import annotations

import torch
from mmcv.runner import HOOKS, EpochBasedRunner, Hook

from fmmp.errors import InputError

from ..precision import grad_scaler
from ..runner import unwrap
from ..settings.values import Positive


@HOOKS.register_module()
class OptimizerStepHook(Hook):
    """Backward, and a step of the optimiser after every few iterations.

    Iterations are grouped from each epoch's first one; an epoch's last group may be smaller. With
    float16 the loss is scaled, and a step whose gradients overflow is left out.

    Args:
        cumulative_iters: iterations a group, whose mean gradient makes one step.
        grad_clip: keywords of torch's ``clip_grad_norm_``, such as ``dict(max_norm=1.0)``.
        loss_scale: keywords of torch's ``GradScaler``, such as ``dict(init_scale=1024.0)``, for
            float16 alone.
    """

    def __init__(
        self,
        cumulative_iters: Positive = 1,
        grad_clip: dict | None = None,
        loss_scale: dict | None = None,
    ) -> None:
        if not isinstance(cumulative_iters, int) or cumulative_iters < 1:
            raise InputError(
                f'optimizer_config.cumulative_iters is {cumulative_iters!r}: give a whole number '
                'of at least 1'
            )
        self.cumulative_iters = cumulative_iters
        self.grad_clip = grad_clip
        self.loss_scale = loss_scale or {}

    def before_run(self, runner: EpochBasedRunner) -> None:
        """Make the scaler, as it was when the training to resume was saved."""
        model = unwrap(runner.model)
        device = next(model.parameters()).device
        self.scaler = grad_scaler(device, model.precision == torch.float16, **self.loss_scale)
        saved = runner.meta.setdefault('hook_msgs', {}).get('loss_scaler')
        if saved and self.scaler.is_enabled():
            self.scaler.load_state_dict(saved)
        runner.optimizer.zero_grad()

    def before_train_epoch(self, runner: EpochBasedRunner) -> None:
        """Start with a new group."""
        self._has_gradient = False

    def after_train_iter(self, runner: EpochBasedRunner) -> None:
        """Backward, and a step if the group ends here."""
        first = runner.inner_iter // self.cumulative_iters * self.cumulative_iters
        end = min(first + self.cumulative_iters, len(runner.data_loader))
        if not runner.outputs.get('skipped'):
            self.scaler.scale(runner.outputs['loss'] / (end - first)).backward()
            self._has_gradient = True
        if runner.inner_iter + 1 == end and self._has_gradient:
            self._step(runner)
            self._has_gradient = False

    def _step(self, runner: EpochBasedRunner) -> None:
        if self.grad_clip is not None:
            self.scaler.unscale_(runner.optimizer)
            trained = [p for p in runner.model.parameters() if p.grad is not None]
            norm = torch.nn.utils.clip_grad_norm_(trained, **self.grad_clip).item()
            if norm < float('inf'):  # the scaler leaves out a step that overflows
                runner.log_buffer.update({'grad_norm': norm}, runner.outputs['num_samples'])
        self.scaler.step(runner.optimizer)
        self.scaler.update()
        runner.optimizer.zero_grad()
        if self.scaler.is_enabled():
            runner.meta['hook_msgs']['loss_scaler'] = self.scaler.state_dict()
            runner.log_buffer.update({'loss_scale': self.scaler.get_scale()})
