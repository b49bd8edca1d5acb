"""The precision that a config asks for."""

from __future__ import annotations

import torch

from fmmp.errors import InputError

PRECISIONS = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


def choose_precision(name: str, device: str | torch.device) -> torch.dtype:
    """The dtype that autocast is to compute in.

    Args:
        name: ``float32``, ``bfloat16`` or ``float16``.
        device: where the model runs.

    Raises:
        InputError: there is no such precision, or this torch lacks it for the device.
    """
    if name not in PRECISIONS:
        raise InputError(f'precision={name!r}: choose from {", ".join(PRECISIONS)}')
    if name != 'float32' and tuple(map(int, torch.__version__.split('.')[:2])) < (2, 1):
        raise InputError(f'precision={name!r} needs torch 2.1 or newer; use float32')
    if name == 'float16' and torch.device(device).type == 'cpu' and not _scales_on_cpu():
        raise InputError("precision='float16' needs torch 2.3 or newer on a CPU; use bfloat16")
    return PRECISIONS[name]


def grad_scaler(device: torch.device, enabled: bool, **settings: object) -> torch.amp.GradScaler:
    """torch's scaler of losses, which keeps gradients in float16's range; else it does nothing.

    Args:
        device: where the model runs.
        enabled: whether it computes in float16.
        settings: keywords of torch's ``GradScaler``, such as ``init_scale``.
    """
    if _scales_on_cpu():
        return torch.amp.GradScaler(device.type, enabled=enabled, **settings)
    return torch.cuda.amp.GradScaler(enabled=enabled, **settings)


def _scales_on_cpu() -> bool:
    return hasattr(torch.amp, 'GradScaler')
