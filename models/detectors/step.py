"""What a training step hands to MMCV's runner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def step_outputs(losses: Mapping[str, Tensor], batch: Mapping[str, Any]) -> dict[str, Any]:
    """What a training step gives MMCV's runner.

    Args:
        losses: by kind, a number or one a layer (L,).
        batch: the step's.

    Returns:
        ``loss``, the sum of all; ``log_vars``, means over the processes: the sum as ``loss``, each
        kind's as ``loss_KIND``, each layer's as ``KIND_layerN``; ``num_samples``.
    """
    sums = {f'loss_{kind}': values.sum() for kind, values in losses.items()}
    numbers = {
        **sums,
        **{
            f'{kind}_layer{layer}': value
            for kind, values in losses.items()
            if values.dim()
            for layer, value in enumerate(values, start=1)
        },
        'loss': sum(sums.values()),
    }
    # All at once: each number read by itself would wait for the device and the other processes.
    values = mean_over_processes(torch.stack([*numbers.values()]).detach())
    return {
        'loss': numbers['loss'],
        'log_vars': dict(zip(numbers, values.tolist(), strict=True)),
        'num_samples': len(batch['imgs']),
    }


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of values, in place, over the processes that train together; all must call it."""
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(values.div_(dist.get_world_size()))
    return values
